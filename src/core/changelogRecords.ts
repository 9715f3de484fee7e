import { TidemarkError } from './errors.ts'
import type { StreamRecord } from './record.ts'
import type { Positions, StoredPosition } from './ports/position.ts'
import type { CommitContent, Lineage } from './ports/task.ts'
import type { ChangelogEntry } from './ports/changelog.ts'
import type { TaskInputs } from './ports/inputs.ts'

/** What runs under a job's name: written to the changelog with epoch 0 and with each reset. */
export interface LineageRecord extends Lineage {
  /** The consumer group; absent in what earlier versions wrote. */
  readonly groupId?: string
  /** The id of each input topic, null where the log gives none; absent in what earlier versions wrote. */
  readonly topics?: ReadonlyMap<string, string | null>
}

/**
 * A commit as the changelog tells of it, the last entry of each: what is committed beside the positions, and the positions. Its
 * place is the end of the changelog in that commit.
 */
export interface CommitRecord {
  readonly groupId: string
  readonly positions: ReadonlyMap<string, RecordedPosition>
  readonly commit: CommitContent
  /** By uid; absent for a job whose sinks all join the commit. */
  readonly followers?: ReadonlyMap<string, FollowerProgress>
}

/** How far the rows of a sink are that follows the commit, as of a commit. */
export interface FollowerProgress {
  /** The last epoch whose rows stand in the target, and whose refusals are dead letters; null: none. It is never sent again. */
  readonly sent: number | null
  /** Behind its chunks: what stands before this offset of the write-ahead log is not needed any more. */
  readonly offset: number
  /** The last epoch with rows; null: none. */
  readonly logged: number | null
  /** Of its chunks from `offset` on. */
  readonly bytes: number
}

/** Where an input stands, and in which topic. */
export interface RecordedPosition {
  readonly position: StoredPosition
  readonly topicId?: string
}

/** A commit's positions as its record names them. */
export function recordedPositions(
  inputs: Pick<TaskInputs, 'format' | 'topicId'>,
  positions: Positions,
): ReadonlyMap<string, RecordedPosition> {
  return new Map(
    [...positions].map(([topic, at]) => {
      const [position, topicId] = [inputs.format.write(at), inputs.topicId(topic)]
      return [topic, topicId === null ? { position } : { position, topicId }]
    }),
  )
}

/** What an entry of a changelog is. `other`: of a kind that this version does not know. */
export type ChangelogFact =
  | { readonly kind: 'lineage'; readonly record: LineageRecord }
  | { readonly kind: 'commit'; readonly record: CommitRecord }
  | { readonly kind: 'state'; readonly generation: number }
  | { readonly kind: 'other' }

/**
 * What stands in the changelog of every exactly-once task, also a stateless one, beside its state. Implemented in src/state;
 * the runtime says when to write, and recovery reads.
 */
export interface ChangelogRecords {
  lineage(record: LineageRecord): ChangelogEntry
  commit(record: CommitRecord): ChangelogEntry
  /** @throws `corrupt-store` for a lineage or commit record that Tidemark did not write. */
  factOf(entry: ChangelogEntry): ChangelogFact
}

/** @throws `corrupt-store` for a record that no task has written. */
export function changelogEntry({ topic, key, raw }: StreamRecord): ChangelogEntry {
  if (key !== null) return { key, value: raw }
  throw new TidemarkError('corrupt-store', `Changelog ${topic} has a record without a key: something else writes it`)
}
