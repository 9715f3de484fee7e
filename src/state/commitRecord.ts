import type { CommitRecord, RecordedOffset } from '../core/changelogRecords.ts'
import { commitContentOf, storedCommit } from '../core/commitMetadata.ts'
import { TidemarkError } from '../core/errors.ts'
import { isCount, isObject, parseStored } from '../core/storedJson.ts'
import type { ChangelogEntry } from '../core/ports/changelog.ts'
import { commitKey } from './changelogKey.ts'

/**
 * The record by which a changelog says what was committed with it: every exactly-once task writes it as the last entry of
 * each commit. When the offsets of the consumer group expire, they stand here; when they were set back, it shows here.
 */
export function commitEntry({ groupId, offsets, commit }: CommitRecord): ChangelogEntry {
  const positions = [...offsets].map(([topic, { offset }]) => [topic, offset] as const)
  const ids = [...offsets].flatMap(([topic, { topicId }]) => (topicId === undefined ? [] : [[topic, topicId] as const]))
  const stored = {
    version: 1,
    groupId,
    positions: Object.fromEntries(positions),
    ...(ids.length === 0 ? {} : { topicIds: Object.fromEntries(ids) }),
    commit: storedCommit(commit),
  }
  return { key: commitKey, value: Buffer.from(JSON.stringify(stored)) }
}

/** @throws `corrupt-store` for a value that `commitEntry` does not make. */
export function decodeCommit(value: Buffer | null): CommitRecord {
  const stored = parseStored(value)
  if (isObject(stored) && stored['version'] === 1) {
    const { groupId, positions, topicIds } = stored
    const commit = commitContentOf(stored['commit'])
    if (typeof groupId === 'string' && isPositions(positions) && commit !== null) {
      return { groupId, offsets: offsetsOf(positions, isObject(topicIds) ? topicIds : {}), commit }
    }
  }
  throw new TidemarkError('corrupt-store', 'The commit record of a changelog is not what Tidemark wrote.')
}

function offsetsOf(
  positions: Readonly<Record<string, number>>,
  topicIds: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, RecordedOffset> {
  const ids = new Map(Object.entries(topicIds))
  return new Map(
    Object.entries(positions).map(([topic, offset]) => {
      const topicId = ids.get(topic)
      return [topic, typeof topicId === 'string' ? { offset, topicId } : { offset }]
    }),
  )
}

function isPositions(value: unknown): value is Readonly<Record<string, number>> {
  return isObject(value) && Object.values(value).every(isCount)
}
