import { TidemarkError } from '../../../core/errors.ts'
import { endOf, PagedReader, type PagedInput, type QueuedPage } from '../../../core/pagedReader.ts'
import { offsetOf } from '../../../core/offsetPosition.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { Positions } from '../../../core/ports/position.ts'
import { formatPosition, recordBytes, type RecordPosition, type StreamRecord } from '../../../core/record.ts'
import { UnreadRecord } from '../../../core/unreadRecord.ts'
import { inputGoneInKafka } from '../log/inputTopics.ts'
import type { TaskLogShared } from '../log/taskLogShared.ts'
import type { Fetcher } from './fetcher.ts'
import type { FetchTarget } from './fetchTarget.ts'
import type { ReadBudget } from './readBudget.ts'

export interface KafkaReaderOptions extends Pick<TaskLogShared, 'fetcher' | 'budget' | 'readAhead' | 'skips' | 'log'> {
  readonly partition: number
  readonly positions: Positions
  readonly ends: Positions | null
  /** The topics that are meant, by name; one without an id is read by its name. */
  readonly topicIds: ReadonlyMap<string, string>
  /** Leader epochs of the positions, where they are known. */
  readonly leaderEpochs: ReadonlyMap<string, number>
}

/** What was unpacked at once of one input. */
interface UnpackedPage extends QueuedPage {
  readonly input: FetchedInput
  readonly leaderEpoch: number | null
}

/** What a record, and each of its headers, takes besides its bytes. */
const queuedRecordBytes = 200
const queuedHeaderBytes = 86
/** So much is unpacked at once: small enough to be bounded, large enough to cost nothing more. */
const leastPageBytes = 64 * 1024
const mostPageBytes = 1024 * 1024

/**
 * Reads the inputs of one task through the process's fetcher, in the order in which they are fetched. While it is held, it
 * fetches on.
 */
export class KafkaReader extends PagedReader<UnpackedPage> {
  protected readonly inputs: readonly FetchedInput[]
  readonly #fetcher: Fetcher
  readonly #budget: ReadBudget
  readonly #readAheadBytes: number
  readonly #unsubscribe: () => void
  readonly #wakeFetcher: () => void
  /** The input that is being unpacked: one at a time, so that what comes of it is known before the next one is begun. */
  #unpacking: FetchedInput | null = null
  /** Taken for it until what comes of it is known. */
  #reservedBytes = 0
  /** Of answers that wait, packed. */
  #heldBytes = 0

  constructor(options: KafkaReaderOptions) {
    super(options.readAhead)
    const { positions, fetcher, budget } = options
    this.#fetcher = fetcher
    this.#budget = budget
    this.#readAheadBytes = options.readAhead.bytes
    this.inputs = [...positions].map(([topic, position]) => new FetchedInput(this, topic, offsetOf(position), options))
    this.#wakeFetcher = () => {
      fetcher.wake()
    }
    this.#unsubscribe = budget.onFreed(this.#wakeFetcher)
    for (const input of this.inputs) fetcher.add(input)
  }

  /** Whether there is room for more. */
  get hungry(): boolean {
    if (this.closed || this.full) return false
    return this.queuedRecords === 0 || !this.#budget.spent
  }

  /** Bytes of one more page. A task that has nothing is never starved by the others. */
  get room(): number {
    const bytes = this.#readAheadBytes
    return Math.max(
      Math.min(leastPageBytes, bytes),
      Math.min(mostPageBytes, bytes - this.queuedBytes, this.#budget.left + this.#reservedBytes),
    )
  }

  /** Leader epoch of the batch that was read last, by topic: a leader that knows less has lost what was read. */
  leaderEpochs(): ReadonlyMap<string, number> {
    return new Map(
      this.inputs.flatMap(({ topic, leaderEpoch }) => (leaderEpoch === null ? [] : [[topic, leaderEpoch] as const])),
    )
  }

  override close(): void {
    if (this.closed) return
    super.close()
    this.#unsubscribe()
    for (const input of this.inputs) this.#fetcher.remove(input)
    this.#budget.give(this.queuedBytes + this.#heldBytes)
    this.#giveReserved()
    this.#fetcher.wake()
  }

  /** Called by an input. */
  add(input: FetchedInput, fetched: readonly StreamRecord[], next: number, leaderEpoch: number | null): void {
    if (this.closed) return
    const records = next <= input.until ? fetched : fetched.filter(({ offset }) => offset < input.until)
    let bytes = 0
    for (const record of records) {
      bytes += recordBytes(record) + queuedRecordBytes + record.headers.length * queuedHeaderBytes
    }
    // What was taken for it before it was unpacked becomes what it has turned out to be, at once: nobody comes between.
    const reserved = input === this.#unpacking ? this.#reservedBytes : 0
    this.#budget.take(bytes - reserved)
    this.#reservedBytes -= reserved
    this.enqueue({ input, records, next: Math.min(next, input.until), bytes, leaderEpoch })
  }

  /** Called by an input: so many bytes more, or less, wait for it packed. */
  held(bytes: number): void {
    if (this.closed) return
    this.#heldBytes += bytes
    if (bytes > 0) this.#budget.take(bytes)
    else this.#budget.give(-bytes)
  }

  /** Called by an input that is about to unpack so much. */
  beginUnpacking(input: FetchedInput, bytes: number): boolean {
    if (this.closed || this.#unpacking !== null) return false
    if (bytes > leastPageBytes && !this.#budget.admits(this.#wakeFetcher)) return false
    this.#unpacking = input
    this.#reservedBytes = bytes
    this.#budget.take(bytes)
    return true
  }

  endUnpacking(): void {
    this.#unpacking = null
    this.#giveReserved()
    // A turn lasts until what was read in it is handed out; little is not worth one.
    if (!this.closed && this.queuedBytes <= 2 * leastPageBytes) this.#budget.pass(this.#wakeFetcher)
  }

  /** The last batch's, also for those before it in the page: too high is harmless, too low would look like a loss. */
  protected override began({ input, leaderEpoch }: UnpackedPage): void {
    input.leaderEpoch = leaderEpoch ?? input.leaderEpoch
  }

  protected finished({ bytes }: UnpackedPage, isLow: boolean): void {
    this.#budget.give(bytes)
    if (this.queuedBytes <= 2 * leastPageBytes && this.#unpacking === null) this.#budget.pass(this.#wakeFetcher)
    // Where nothing is queued nobody else will: the budget may stay spent.
    if (isLow || (this.queuedRecords === 0 && this.#budget.spent)) this.#fetcher.wake()
  }

  #giveReserved(): void {
    const bytes = this.#reservedBytes
    this.#reservedBytes = 0
    this.#budget.give(bytes)
  }
}

/** One input of the task. `offset` runs ahead of `position`, which counts what was handed out. */
class FetchedInput implements FetchTarget, PagedInput {
  readonly topic: string
  readonly topicId: string | null
  readonly partition: number
  readonly until: number
  readonly #reader: KafkaReader
  readonly #skipped: ReadonlySet<number>
  readonly #log: Logger
  #heldBytes = 0
  offset: number
  position: number
  leaderEpoch: number | null

  constructor(reader: KafkaReader, topic: string, position: number, options: KafkaReaderOptions) {
    this.#reader = reader
    this.topic = topic
    this.topicId = options.topicIds.get(topic) ?? null
    this.partition = options.partition
    this.until = endOf(topic, options.ends)
    this.leaderEpoch = options.leaderEpochs.get(topic) ?? null
    this.#skipped = new Set(
      options.skips.flatMap((skip) => (skip.topic === topic && skip.partition === this.partition ? [skip.offset] : [])),
    )
    this.#log = options.log
    this.offset = position
    this.position = position
  }

  get finished(): boolean {
    return this.offset >= this.until
  }

  get wanted(): boolean {
    return !this.finished && this.#reader.hungry
  }

  get room(): number {
    return this.#reader.room
  }

  beginUnpacking(bytes: number): boolean {
    return this.#reader.beginUnpacking(this, bytes)
  }

  endUnpacking(): void {
    this.#reader.endUnpacking()
  }

  skips(offset: number): boolean {
    return this.#skipped.has(offset)
  }

  held(bytes: number): void {
    this.#reader.held(bytes - this.#heldBytes)
    this.#heldBytes = bytes
  }

  /** A position before what was handed out would be committed with its outputs. */
  accept(records: readonly StreamRecord[], next: number, leaderEpoch: number | null): void {
    const [first, last] = [records[0], records.at(-1)]
    if (last !== undefined && last.offset >= next) {
      throw wrongPlace(last, `and would go on at ${String(next)}, which is not behind it`)
    }
    if (next <= this.offset) return
    if (first !== undefined && first.offset < this.offset) {
      throw wrongPlace(first, `again: it had gone on to ${String(this.offset)}`)
    }
    for (const offset of this.#skipped) if (offset >= this.offset && offset < next) this.#tellOfSkip(offset, records)
    this.offset = next
    this.#reader.add(this, records, next, leaderEpoch)
  }

  fail(error: TidemarkError): void {
    this.#reader.fail(error.code === 'unknown-topic' ? inputGoneInKafka(this.topic) : error)
  }

  #tellOfSkip(offset: number, records: readonly StreamRecord[]): void {
    if (records.some((record) => record instanceof UnreadRecord && record.offset === offset)) return
    const { topic, partition } = this
    this.#log.warn('--skip names a position where nothing is that cannot be read; it is read as usual', {
      topic,
      partition,
      offset,
    })
  }
}

function wrongPlace(record: RecordPosition, why: string): TidemarkError {
  return new TidemarkError('broken-invariant', `Reading has brought the record ${formatPosition(record)} ${why}`)
}
