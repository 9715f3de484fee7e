import type { TidemarkError } from '../../../core/errors.ts'
import type { StreamRecord } from '../../../core/record.ts'

/** A partition that is being read. */
export interface FetchTarget {
  readonly topic: string
  /** The topic that is meant; null or absent: whichever has the name, or no broker tells ids. */
  readonly topicId?: string | null
  readonly partition: number
  /** Next offset to fetch; moved by `accept`. */
  readonly offset: number
  /** False while its queue is full, or when it has all it wants. */
  readonly wanted: boolean
  /** True when it has read all that it was to read: nothing is kept for it. */
  readonly finished?: boolean
  /** For so many bytes there is room; one record is taken whatever its size. */
  readonly room: number
  /**
   * Whether so much, and one record whatever its size, may be unpacked now: then `endUnpacking` is called behind it. False: others
   * are at it, and the fetcher is woken when they are done.
   */
  beginUnpacking?(bytes: number): boolean
  endUnpacking?(): void
  /**
   * Takes what was fetched, in order; `next` is where to go on, and may lie behind a gap or a marker. `leaderEpoch` is that of
   * the last batch, null where there was none.
   *
   * @throws TidemarkError `broken-invariant` where `next` is not behind the records, or they lie before `offset`.
   */
  accept(records: readonly StreamRecord[], next: number, leaderEpoch: number | null): void
  /** Told how many bytes of an answer are kept for it until it wants them, and of a large record before it is unpacked. */
  held?(bytes: number): void
  /** Whether what cannot be read at an offset is to be passed; it is then handed over as an `UnreadRecord`. */
  skips?(offset: number): boolean
  /** Reading has failed for good. */
  fail(error: TidemarkError): void
}
