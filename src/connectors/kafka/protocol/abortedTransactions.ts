import type { Batch } from './batchHeader.ts'

/** A transaction of a fetched stretch that was aborted: as the broker lists them, in any order. */
export interface AbortedTransaction {
  readonly producerId: bigint
  /** Offset of the first record it wrote to the partition. */
  readonly firstOffset: number
}

/** What decides whether a batch was committed. */
export interface BatchFacts extends Pick<Batch, 'producerId' | 'lastOffset' | 'transactional'> {
  /** The kind of marker that the batch is; null for a batch of records. */
  readonly marker: 'abort' | 'commit' | 'other' | null
}

/**
 * Tells the batches of aborted transactions from committed ones, in one pass over a fetched stretch in the order of
 * offsets. Follows the Java client's CompletedFetch: several aborted transactions may be open at once, they begin at
 * their first offset whatever the order in which they are listed, and only an abort MARKER of the same producer ends one.
 * kafkajs' own filter has none of the three and leaks aborted records.
 */
export class AbortedTransactions {
  readonly #waiting: AbortedTransaction[]
  readonly #open = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = aborted.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  /** True when the batch's records were never committed. Call once for every batch, markers included. */
  covers({ producerId, lastOffset, transactional, marker }: BatchFacts): boolean {
    for (
      let next = this.#waiting.at(-1);
      next !== undefined && next.firstOffset <= lastOffset;
      next = this.#waiting.at(-1)
    ) {
      this.#open.add(next.producerId)
      this.#waiting.pop()
    }
    if (marker === 'abort') this.#open.delete(producerId)
    return marker === null && transactional && this.#open.has(producerId)
  }
}
