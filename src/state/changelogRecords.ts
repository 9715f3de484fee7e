import * as t from 'io-ts'
import type { ChangelogRecords, CommitRecord, LineageRecord, RecordedPosition } from '../core/changelogRecords.ts'
import { commitContentOf, storedCommit } from '../core/commitMetadata.ts'
import { TidemarkError } from '../core/errors.ts'
import { positionShape, type StoredPosition } from '../core/ports/position.ts'
import type { ChangelogEntry } from '../core/ports/changelog.ts'
import { isCount, isObject, parseStored, storedCount } from '../core/storedJson.ts'
import { commitKey, generationOf, lineageKey } from './changelogKey.ts'

/** The records of a changelog beside the state, as this version writes and reads them. */
export const changelogRecords: ChangelogRecords = {
  lineage: lineageEntry,
  commit: commitEntry,
  factOf({ key, value }) {
    if (key.equals(commitKey)) return { kind: 'commit', record: decodeCommit(value) }
    if (key.equals(lineageKey)) return { kind: 'lineage', record: decodeLineage(value) }
    const generation = generationOf(key)
    return generation === null ? { kind: 'other' } : { kind: 'state', generation }
  },
}

/**
 * The record by which a changelog says what was committed with it: every exactly-once task writes it as the last entry of
 * each commit. When the offsets of the consumer group expire, they stand here; when they were set back, it shows here.
 */
function commitEntry({ groupId, positions, commit, followers = new Map() }: CommitRecord): ChangelogEntry {
  const written = [...positions].map(([topic, { position }]) => [topic, position] as const)
  const ids = [...positions].flatMap(([topic, { topicId }]) =>
    topicId === undefined ? [] : [[topic, topicId] as const],
  )
  const stored = {
    version: 1,
    groupId,
    positions: Object.fromEntries(written),
    ...(ids.length === 0 ? {} : { topicIds: Object.fromEntries(ids) }),
    commit: storedCommit(commit),
    ...(followers.size === 0 ? {} : { followers: Object.fromEntries(followers) }),
  }
  return { key: commitKey, value: Buffer.from(JSON.stringify(stored)) }
}

const storedEpoch = t.union([storedCount, t.null])
const storedRecord = t.intersection([
  t.type({ version: t.literal(1), groupId: t.string, positions: t.record(t.string, positionShape) }),
  t.partial({
    followers: t.record(
      t.string,
      t.type({ sent: storedEpoch, offset: storedCount, logged: storedEpoch, bytes: storedCount }),
    ),
  }),
])

/** @throws `corrupt-store` for a value that `commitEntry` does not make. */
function decodeCommit(value: Buffer | null): CommitRecord {
  const stored = parseStored(value)
  const { commit: content, topicIds } = isObject(stored) ? stored : {}
  const commit = commitContentOf(content)
  if (storedRecord.is(stored) && commit !== null) {
    const { groupId, positions, followers = {} } = stored
    const record = { groupId, positions: recorded(positions, isObject(topicIds) ? topicIds : {}), commit }
    const progress = new Map(Object.entries(followers))
    return progress.size === 0 ? record : { ...record, followers: progress }
  }
  throw new TidemarkError('corrupt-store', 'The commit record of a changelog is not what Tidemark wrote.')
}

function recorded(
  positions: Readonly<Record<string, StoredPosition>>,
  topicIds: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, RecordedPosition> {
  const ids = new Map(Object.entries(topicIds))
  return new Map(
    Object.entries(positions).map(([topic, position]) => {
      const topicId = ids.get(topic)
      return [topic, typeof topicId === 'string' ? { position, topicId } : { position }]
    }),
  )
}

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
