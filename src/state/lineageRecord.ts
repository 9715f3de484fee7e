import type { LineageRecord } from '../core/changelogRecords.ts'
import { TidemarkError } from '../core/errors.ts'
import { isCount, isObject, parseStored } from '../core/storedJson.ts'
import type { ChangelogEntry } from '../core/ports/changelog.ts'
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
  const stored = parseStored(value)
  if (isObject(stored)) {
    const { lineage, generation, groupId, topics } = stored
    if (typeof lineage === 'string' && isCount(generation)) {
      return {
        lineage,
        generation,
        ...(typeof groupId === 'string' ? { groupId } : {}),
        ...(isObject(topics) ? { topics: idsOf(topics) } : {}),
      }
    }
  }
  throw new TidemarkError('corrupt-store', 'The lineage record of a changelog is not what Tidemark wrote.')
}

function idsOf(topics: Readonly<Record<string, unknown>>): ReadonlyMap<string, string | null> {
  return new Map(Object.entries(topics).map(([topic, id]) => [topic, typeof id === 'string' ? id : null]))
}
