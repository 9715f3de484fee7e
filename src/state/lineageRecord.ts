import type { LineageRecord } from '../core/changelogRecords.ts'
import { TidemarkError } from '../core/errors.ts'
import type { ChangelogEntry } from '../core/taskLog.ts'
import { lineageKey } from './changelogKey.ts'

/**
 * The record by which a changelog says whose it is: the lineage, and what ran under the job's name. Every exactly-once task,
 * a stateless one too, writes it with epoch 0 and with each reset, in the same commit as the metadata. A changelog that has
 * one while the committed metadata is gone means that offsets were lost; a changelog that has none has lost its head.
 */
export function lineageEntry({ lineage, generation, groupId, topics }: LineageRecord): ChangelogEntry {
  const stored = {
    version: 1,
    lineage,
    generation,
    ...(groupId === undefined ? {} : { groupId }),
    ...(topics === undefined ? {} : { topics: Object.fromEntries(topics) }),
  }
  return { key: lineageKey, value: Buffer.from(JSON.stringify(stored)) }
}

/**
 * What an earlier version did not write is left out, and so is what cannot be read of it.
 *
 * @throws `corrupt-store` for a value that `lineageEntry` does not make.
 */
export function decodeLineage(value: Buffer | null): LineageRecord {
  const parsed = value === null ? null : parse(value)
  if (
    typeof parsed === 'object' &&
    parsed !== null &&
    'lineage' in parsed &&
    'generation' in parsed &&
    typeof parsed.lineage === 'string' &&
    typeof parsed.generation === 'number' &&
    Number.isInteger(parsed.generation)
  ) {
    const { lineage, generation } = parsed
    const groupId = 'groupId' in parsed && typeof parsed.groupId === 'string' ? parsed.groupId : undefined
    const topics = 'topics' in parsed ? topicsOf(parsed.topics) : undefined
    return {
      lineage,
      generation,
      ...(groupId === undefined ? {} : { groupId }),
      ...(topics === undefined ? {} : { topics }),
    }
  }
  throw new TidemarkError('corrupt-store', 'The lineage record of a changelog is not what Tidemark wrote.')
}

function topicsOf(value: unknown): ReadonlyMap<string, string | null> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return new Map(
    Object.entries(value).map(([topic, id]: [string, unknown]) => [topic, typeof id === 'string' ? id : null]),
  )
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'))
  } catch {
    return null
  }
}
