import { TidemarkError } from '../core/errors.ts'
import type { Lineage } from '../core/task.ts'
import type { ChangelogEntry } from '../core/taskLog.ts'
import { lineageKey } from './changelogKey.ts'

/**
 * The record by which a changelog says whose it is. Every exactly-once task, a stateless one too, writes it with epoch 0
 * and with each reset, in the same commit as the metadata: so a changelog that has one while the committed metadata is
 * gone means that offsets were lost, and a start must stop there.
 */
export function lineageEntry({ lineage, generation }: Lineage): ChangelogEntry {
  return { key: lineageKey, value: Buffer.from(JSON.stringify({ version: 1, lineage, generation })) }
}

/** @throws `corrupt-store` for a value that `lineageEntry` does not make. */
export function decodeLineage(value: Buffer | null): Lineage {
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
    return { lineage: parsed.lineage, generation: parsed.generation }
  }
  throw new TidemarkError('corrupt-store', 'The lineage record of a changelog is not what Tidemark wrote.')
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'))
  } catch {
    return null
  }
}
