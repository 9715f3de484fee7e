import type { OutputRecord } from '../record.ts'
import type { ChangelogEntry } from './changelog.ts'
import type { Guarantee } from './outputs.ts'
import type { Position, Positions } from './position.ts'
import type { CommitMetadata } from './task.ts'

/** A committed position of one input, with the metadata text that was committed beside it (empty: none). */
export interface CommittedPosition {
  readonly position: Position
  readonly metadata: string
  /** Id of the topic that the position is of; absent where it was not recorded, by an earlier version for example. */
  readonly topicId?: string
}

/** Where a task's commits are: it decides whether "it happened". */
export interface TaskCommitLog {
  /**
   * True when the task's identity is not, or no longer, this owner's: the runtime then recovers (`fence`, `committed`) before
   * the next epoch.
   */
  readonly lost: boolean
  /** Takes the task's identity over: resolves the old owner's open transaction and locks it out from now on. */
  fence(): Promise<void>
  /**
   * Locks out whoever works on the task with another transactional id prefix, from an earlier deployment. After `fence`.
   * Does nothing where a task's identity does not depend on the prefix.
   */
  fenceEarlier(transactionalIdPrefix: string): Promise<void>
  /**
   * Committed positions by topic; a topic without one is absent. Read after `fence`. A text beside them that Tidemark did not
   * write is handed on as it is.
   */
  committed(): Promise<ReadonlyMap<string, CommittedPosition>>
  begin(): EpochTransaction
}

/**
 * The atomic act of one epoch attempt. `send` as the pipeline runs; then `prepare`, then `commit`, or `abort` at any time.
 *
 * All of it becomes visible together or not at all: outputs of every exactly-once sink, dead letters, changelog, and the
 * offsets of all inputs with their metadata.
 */
export interface EpochTransaction {
  /** Appends a record. Never waits; the bytes count for the epoch's limit. */
  send(record: OutputRecord, guarantee: Guarantee): void
  /** Bytes sent so far. */
  readonly bytes: number
  /**
   * Waits until everything sent is stored, appends the changelog, and returns the changelog's end after it. Rejects with
   * `RecordsRefused` when the log does not take some of the records.
   */
  prepare(changelog: readonly ChangelogEntry[]): Promise<number>
  /**
   * Commits. Rejects with `commit-failed` when it was refused or its outcome is unknown: the caller must then fence
   * again and read what was committed. `fenced: true` in the details says that another owner has the task: both must not
   * take it from each other for ever.
   */
  commit(positions: Positions, metadata: CommitMetadata): Promise<void>
  /** Gives the attempt up. Never rejects for a transaction that is already gone. */
  abort(): Promise<void>
}
