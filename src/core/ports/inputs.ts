import type { StreamRecord } from '../record.ts'
import type { Position, PositionFormat, PositionRange, Positions } from './position.ts'

/** What a task reads: its partition of each of its topics. */
export interface TaskInputs {
  /** The topics of the group that have the task's partition. */
  readonly topics: readonly string[]
  /** Of the positions here, and of those that are committed. */
  readonly format: PositionFormat
  /** Id of the topic that has the name, as of the last look at what is committed; null where none is told. */
  topicId(topic: string): string | null
  /** Whether the topic is there now, and may be an input. */
  exists(topic: string): Promise<boolean>
  range(topic: string): Promise<PositionRange>
  /** How far it is from a position to another one, or to the end, in records as far as the log can tell; 0 beyond it. */
  lag(topic: string, from: Position, to?: Position): Promise<number>
  /** Records, and markers among them, between the end and the last offset there is: of transactions that are not decided. */
  undecided(topic: string): Promise<number>
  /**
   * True when the job had begun before the topic had this partition, as the commits of its other tasks record: it then starts
   * at earliest, whatever the start mode.
   */
  discovered(topic: string): Promise<boolean>
  /** Where the first record stands whose timestamp is at least `timestampMs`, or the end. */
  positionAtTime(topic: string, timestampMs: number): Promise<Position>
  /** Starts reading; a reader that is still open is closed. With `ends`, reading stops before them. */
  read(positions: Positions, ends: Positions | null): TaskReader
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
  /** Where each input goes on, counted after the records that `next` has handed out; gaps are skipped. */
  positions(): Positions
  /** Calls back once, as soon as `next` may return a record, `done` has become true, or reading has failed. */
  whenReadable(callback: () => void): void
  /** Set when reading has failed for good; the task then ends its epoch with this error. */
  readonly failure: Error | null
  /** Stops fetching and forgets the queue. */
  close(): void
}
