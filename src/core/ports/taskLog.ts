import type { TidemarkError } from '../errors.ts'
import type { OutputRecord, StreamRecord } from '../record.ts'
import type { CommitMetadata, Positions } from './task.ts'

/** How a sink's records relate to the commit. */
export type Guarantee = 'exactly-once' | 'at-least-once' | 'none'

/** Offsets that can be read: `start` is the first one kept, `end` the last stable offset (exclusive). */
export interface OffsetRange {
  readonly start: number
  readonly end: number
}

/** A committed offset of one input, with the metadata text that was committed beside it (empty: none). */
export interface CommittedOffset {
  readonly offset: number
  readonly metadata: string
  /** Id of the topic that the offset is of; absent where it was not recorded, by an earlier version for example. */
  readonly topicId?: string
  /** The leader that had taken the record before the offset, as the log counts its leaders; absent where not known. */
  readonly leaderEpoch?: number
}

/** One entry of a task's changelog: the last value of a state key; null deletes it. */
export interface ChangelogEntry {
  readonly key: Buffer
  readonly value: Buffer | null
}

/**
 * Reads a task's inputs from given positions, only committed records, ahead of the pump and within a bounded queue.
 *
 * The queue's high-water mark stops the fetching; taking records below the low-water mark resumes it.
 */
export interface TaskReader {
  /**
   * The next queued record, or undefined when none is queued now. Synchronous; called once a record. An `UnreadRecord` stands
   * for what cannot be read; `positions` is behind all of it then.
   */
  next(): StreamRecord | undefined
  /** True when `next` would return a record now. */
  readonly readable: boolean
  /** True once every input stands at its end (given to `read`) and the queue is empty. Never true without ends. */
  readonly done: boolean
  /** Next offset to read of each input, counted after the records that `next` has handed out; gaps are skipped. */
  positions(): Positions
  /** Calls back once, as soon as `next` may return a record, `done` has become true, or reading has failed. */
  whenReadable(callback: () => void): void
  /** Set when reading has failed for good; the task then ends its epoch with this error. */
  readonly failure: Error | null
  /** Stops fetching and forgets the queue. */
  close(): void
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

/**
 * The commit log as one task sees it: its inputs, its transactions, its changelog. It decides whether "it happened".
 * Every implementation runs the conformance suite in test/conformance/taskLog.ts.
 */
export interface TaskLog {
  readonly partition: number
  /** The topics of the group that have this partition. */
  readonly topics: readonly string[]
  /**
   * True when the task's identity is not, or no longer, this owner's: the runtime then recovers (`fence`, `committed`) before
   * the next epoch. Absent where a transaction's outcome tells all of it.
   */
  readonly lost?: boolean
  /** Takes the task's identity over: resolves the old owner's open transaction and locks it out from now on. */
  fence(): Promise<void>
  /**
   * Locks out whoever works on the task with another transactional id prefix, from an earlier deployment. After `fence`.
   * Absent where a task's identity does not depend on it.
   */
  fenceEarlier?(transactionalIdPrefix: string): Promise<void>
  /**
   * Committed offsets by topic; a topic without one is absent. Read after `fence`. A text beside them that Tidemark did not
   * write is handed on as it is.
   */
  committed(): Promise<ReadonlyMap<string, CommittedOffset>>
  /**
   * Id of the topic that has the name, as of the last `committed`; null where none is told. Absent where a topic is never made
   * anew under the name of one whose offsets are kept.
   */
  topicId?(topic: string): string | null
  /** Records, and markers among them, between the end and the last offset there is: of transactions that are not decided. */
  undecided?(topic: string): Promise<number>
  /** Whether the topic is there now. Absent where none is ever deleted. */
  exists?(topic: string): Promise<boolean>
  range(topic: string): Promise<OffsetRange>
  /**
   * True when the job had begun before the topic had this partition, as the commits of its other tasks record: it then starts
   * at earliest, whatever the start mode. Absent where topics do not grow.
   */
  discovered?(topic: string): Promise<boolean>
  /** The first offset whose timestamp is at least `timestampMs`, or the end. */
  offsetAtTime(topic: string, timestampMs: number): Promise<number>
  /** Starts reading; a reader that is still open is closed. With `ends`, reading stops before them. */
  read(positions: Positions, ends: Positions | null): TaskReader
  begin(): EpochTransaction
  /**
   * Why a topic is known not to take this record; null where nothing is known against it. What is found out only by sending
   * fails the epoch with `RecordsRefused`, and is known here when the epoch is replayed.
   */
  refusal(record: OutputRecord): TidemarkError | null
  changelogRange(): Promise<OffsetRange>
  /** Committed changelog entries in [from, to), in order, in batches. */
  readChangelog(from: number, to: number): AsyncIterable<readonly ChangelogEntry[]>
  /** Drops superseded entries; entries for which `keep` is false go too. May do nothing where the log compacts itself. */
  compactChangelog(keep: (key: Buffer) => boolean): Promise<void>
  close(): Promise<void>
}
