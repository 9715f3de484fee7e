import type { OffsetRange } from './changelog.ts'
import type { EpochTransaction } from './commitLog.ts'

/** A part of what one sink is to be sent of one epoch. */
export interface LoggedChunk {
  /** The uid of the sink. */
  readonly sink: string
  readonly bytes: Buffer
}

/**
 * The write-ahead log of a task: rows for followers, which stand in an epoch's commit and are sent after it. All sinks of the
 * task share it. Every implementation runs the conformance suite in test/conformance/writeAheadLog.ts.
 */
export interface TaskWriteAheadLog {
  /** Largest chunk that is taken, in bytes. */
  readonly maxChunkBytes: number
  /** Appends a chunk in the transaction of an epoch: it can be read when that has committed, else never. Never waits. */
  append(transaction: Pick<EpochTransaction, 'send'>, chunk: LoggedChunk): void
  /** What can be read: `start` is where it was trimmed to. A commit may show some time after it was acknowledged. */
  range(): Promise<OffsetRange>
  /** Where the next chunk will stand, behind all that is not decided yet, or does not show yet. */
  writtenEnd(): Promise<number>
  /** Committed chunks in [from, to), in order, in batches. Offsets have gaps. Rejects when the log does not answer. */
  read(from: number, to: number): AsyncIterable<readonly (LoggedChunk & { readonly offset: number })[]>
  /** Removes what stands before an offset, as far as the log can; a repeat changes nothing. */
  trim(before: number): Promise<void>
}
