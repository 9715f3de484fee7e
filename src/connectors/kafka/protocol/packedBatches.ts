import { asTidemarkError, type TidemarkError } from '../../../core/errors.ts'
import { formatPosition, type RecordPosition, type StreamRecord } from '../../../core/record.ts'
import { UnreadRecord } from '../../../core/unreadRecord.ts'
import { AbortedTransactions, type AbortedTransaction } from './abortedTransactions.ts'
import { baseOffsetOf, wholeBatchBytes, damagedBatch, isLengthDamaged, markerOf, readBatch } from './batchHeader.ts'
import { BatchRecords, type ReadLimits } from './batchRecords.ts'
import { ownMemory } from './recordParts.ts'

/** What a fetch brought of one partition. */
export interface FetchedBatches {
  readonly topic: string
  readonly partition: number
  /** The offset that was asked for; the first batch may begin before it. */
  readonly offset: number
  readonly bytes: Buffer
  readonly aborted: readonly AbortedTransaction[]
}

/** Records of a fetch, and where to go on. */
export interface DecodedRecords {
  readonly records: readonly StreamRecord[]
  /** Behind the last record or batch, whatever compaction, markers and aborted transactions have left of it. */
  readonly next: number
  /** Of the last batch: which leader had taken it. Null where no batch was brought. */
  readonly leaderEpoch: number | null
}

/**
 * What a fetch brought of one partition, unpacked as far as it is asked for: committed records from the asked offset on. A
 * batch that is cut off at the end is left to the next fetch.
 */
export class PackedBatches {
  readonly #place: RecordPosition
  readonly #limits: ReadLimits
  readonly #filter: AbortedTransactions
  #bytes: Buffer
  #at = 0
  #next: number
  /** The batch that is being decoded. */
  #open: BatchRecords | null = null
  /** What is wrong behind the records that were decoded before it. */
  #failure: TidemarkError | null = null
  #leaderEpoch: number | null = null
  #closed = false

  constructor(fetched: FetchedBatches, limits: ReadLimits) {
    const { topic, partition, offset } = fetched
    this.#place = { topic, partition, offset }
    this.#limits = limits
    this.#filter = new AbortedTransactions(fetched.aborted)
    this.#bytes = fetched.bytes
    this.#next = fetched.offset
    if (isLengthDamaged(this.#bytes)) {
      this.#failure = damagedBatch(this.#place, fetched.offset + 1, 'its length is another one')
    }
  }

  /** True when nothing is left that `read` could give or throw. */
  get done(): boolean {
    if (this.#closed) return true
    return this.#failure === null && this.#open === null && wholeBatchBytes(this.#bytes, this.#at) === null
  }

  /** Whether what comes next is unpacked in pieces, which may take long. */
  get inPieces(): boolean {
    return this.#open?.inPieces === true
  }

  /** Of the batch, or the large record, that comes next. */
  get pendingBytes(): number {
    return this.#open?.pendingBytes ?? this.#nextSize() ?? 0
  }

  /** What it holds, packed and unpacked. */
  get heldBytes(): number {
    return this.#bytes.length + (this.#open?.heldBytes ?? 0)
  }

  /** Copies what is left of the answer, so that the answer may go. */
  keep(): void {
    this.#bytes = ownMemory(this.#bytes.subarray(this.#at))
    this.#at = 0
    this.#open?.keep()
  }

  /**
   * The next records, until they take `roomBytes` or nothing is left: at least one, where there is one; none where a large
   * one has begun and `asksForRoom`: the next call unpacks it. With `atOnce` none of
   * what comes in pieces, which may take long: only what is there already.
   *
   * @throws TidemarkError `damaged-batch` where a checksum is not that of its batch, `unreadable-input`, `unsupported-batch`.
   *   Then nothing is left: how long such a batch is nobody vouches for (no checksum covers its length), so whoever passes it
   *   asks its broker for what is behind.
   */
  async read(roomBytes: number, { atOnce = false, asksForRoom = false } = {}): Promise<DecodedRecords> {
    const records: StreamRecord[] = []
    let bytes = 0
    while (bytes < roomBytes && this.#failure === null) {
      try {
        this.#open ??= await this.#nextBatch()
        const batch = this.#open
        if (batch === null) break
        try {
          bytes += batch.decode(records, roomBytes - bytes)
        } finally {
          // Also where it throws: what stands before is handed out, and must not be asked for again.
          this.#next = Math.max(this.#next, batch.next)
        }
        if (batch.done) this.#turn()
        if (records.at(-1) instanceof UnreadRecord) break
        if (batch.done || bytes >= roomBytes) continue
        // What is decoded already need not wait for it, and whoever has the room is asked before a large record takes it.
        if (records.length > 0 || atOnce || (asksForRoom && batch.beginsLarge())) break
        await batch.fill()
      } catch (error) {
        this.#turn()
        this.#failure = asTidemarkError(error, 'broken-invariant', `Reading ${formatPosition(this.#place)} failed`)
      }
    }
    const failure = this.#failure
    if (failure !== null && records.length === 0) {
      this.close()
      throw failure
    }
    return { records, next: this.#next, leaderEpoch: this.#leaderEpoch }
  }

  close(): void {
    this.#closed = true
    this.#failure = null
    this.#turn()
    this.#bytes = Buffer.alloc(0)
    this.#at = 0
  }

  #turn(): void {
    this.#open?.close()
    this.#open = null
  }

  /** The next batch that has records for us; passes all others. */
  async #nextBatch(): Promise<BatchRecords | null> {
    const { topic, partition } = this.#place
    for (let size = this.#nextSize(); size !== null; size = this.#nextSize()) {
      const at = this.#at
      this.#at += size
      const place = { topic, partition, offset: Math.max(this.#next, baseOffsetOf(this.#bytes, at)) }
      const batch = readBatch(this.#bytes.subarray(at, at + size), place)
      const marker = batch.control ? markerOf(batch) : null
      const { producerId, lastOffset, transactional, leaderEpoch, count } = batch
      const dropped = this.#filter.covers({ producerId, lastOffset, transactional, marker })
      if (leaderEpoch >= 0) this.#leaderEpoch = leaderEpoch
      const hasRecords = marker === null && !dropped && count > 0
      if (hasRecords && lastOffset >= this.#next) return BatchRecords.open(batch, this.#next, this.#limits)
      this.#next = Math.max(this.#next, lastOffset + 1)
    }
    return null
  }

  #nextSize(): number | null {
    return this.#closed ? null : wholeBatchBytes(this.#bytes, this.#at)
  }
}
