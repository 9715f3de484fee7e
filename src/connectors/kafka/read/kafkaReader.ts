import { TidemarkError } from '../../../core/errors.ts'
import { Fifo } from '../../../core/fifo.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { recordBytes, type RecordPosition, type StreamRecord } from '../../../core/record.ts'
import type { Positions } from '../../../core/ports/task.ts'
import type { TaskReader } from '../../../core/ports/inputs.ts'
import type { Fetcher } from './fetcher.ts'
import type { ReadBudget } from './readBudget.ts'
import { ReaderInput } from './readerInput.ts'

/** How far a task reads ahead; one record may come on top, and what a fetch has brought beyond it stays packed. */
export interface ReadAhead {
  /** Default 10,000. Fetching goes on when half of them are left. */
  readonly records: number
  /** Keys, values and headers; default 4 MiB. */
  readonly bytes: number
}

export const defaultReadAhead: ReadAhead = { records: 10_000, bytes: 4 * 1024 * 1024 }

/** What was unpacked at once of one input. */
interface Page {
  readonly input: ReaderInput
  readonly records: readonly StreamRecord[]
  /** Where the input goes on behind it, over gaps and markers. */
  readonly next: number
  readonly bytes: number
  readonly leaderEpoch: number | null
}

export interface KafkaReaderOptions {
  readonly partition: number
  readonly positions: Positions
  readonly ends: Positions | null
  /** The topics that are meant, by name; one without an id is read by its name. */
  readonly topicIds: ReadonlyMap<string, string>
  /** Leader epochs of the positions, where they are known. */
  readonly leaderEpochs: ReadonlyMap<string, number>
  readonly fetcher: Fetcher
  readonly budget: ReadBudget
  readonly readAhead: ReadAhead
  /** Where what cannot be read of the inputs is to be passed. */
  readonly skips: readonly RecordPosition[]
  readonly log: Logger
}

/**
 * Reads the inputs of one task through the process's fetcher, in the order in which they are fetched. While it is held, it
 * fetches on and hands nothing out.
 */
export class KafkaReader implements TaskReader {
  readonly #fetcher: Fetcher
  readonly #budget: ReadBudget
  readonly #readAhead: ReadAhead
  readonly #inputs: readonly ReaderInput[]
  readonly #pages = new Fifo<Page>()
  readonly #unsubscribe: () => void
  readonly #wakeFetcher: () => void
  /** The input that is being unpacked: one at a time, so that what comes of it is known before the next one is begun. */
  #unpacking: ReaderInput | null = null
  /** Taken for it until what comes of it is known. */
  #reservedBytes = 0
  /** The page that is being handed out; undefined when nothing is queued. */
  #page: Page | undefined
  #index = 0
  #queuedRecords = 0
  #queuedBytes = 0
  /** Of answers that wait, packed. */
  #heldBytes = 0
  #full = false
  #held = false
  #closed = false
  #waiting: (() => void)[] = []
  #failure: TidemarkError | null = null

  constructor(options: KafkaReaderOptions) {
    const { partition, positions, ends, fetcher, budget, readAhead } = options
    this.#fetcher = fetcher
    this.#budget = budget
    this.#readAhead = readAhead
    this.#inputs = [...positions].map(
      ([topic, position]) =>
        new ReaderInput(this, {
          topic,
          topicId: options.topicIds.get(topic) ?? null,
          partition,
          position,
          until: ends === null ? Infinity : required(ends, topic),
          leaderEpoch: options.leaderEpochs.get(topic) ?? null,
          skipped: new Set(options.skips.flatMap((skip) => (skip.topic === topic ? [skip.offset] : []))),
          log: options.log,
        }),
    )
    this.#wakeFetcher = () => {
      fetcher.wake()
    }
    this.#unsubscribe = budget.onFreed(this.#wakeFetcher)
    for (const input of this.#inputs) fetcher.add(input)
  }

  get failure(): Error | null {
    return this.#failure
  }

  get readable(): boolean {
    return this.#page !== undefined && !this.#held
  }

  get done(): boolean {
    if (this.#closed || this.#held || this.#page !== undefined) return false
    return this.#inputs.every(({ position, until }) => position >= until)
  }

  /** Whether there is room for more. */
  get hungry(): boolean {
    if (this.#closed || this.#full) return false
    return this.#queuedRecords === 0 || !this.#budget.spent
  }

  /** Bytes of one more page. A task that has nothing is never starved by the others. */
  get room(): number {
    const { bytes } = this.#readAhead
    return Math.max(
      Math.min(leastPageBytes, bytes),
      Math.min(mostPageBytes, bytes - this.#queuedBytes, this.#budget.left + this.#reservedBytes),
    )
  }

  next(): StreamRecord | undefined {
    const page = this.#page
    if (page === undefined || this.#held) return undefined
    const record = page.records[this.#index]
    if (record === undefined) return undefined
    this.#index += 1
    page.input.position = record.offset + 1
    if (this.#index === page.records.length) this.#turnPage(page)
    return record
  }

  positions(): Positions {
    return new Map(this.#inputs.map(({ topic, position }) => [topic, position]))
  }

  /** Leader epoch of the batch that was read last, by topic: a leader that knows less has lost what was read. */
  leaderEpochs(): ReadonlyMap<string, number> {
    return new Map(
      this.#inputs.flatMap(({ topic, leaderEpoch }) => (leaderEpoch === null ? [] : [[topic, leaderEpoch] as const])),
    )
  }

  whenReadable(callback: () => void): void {
    if (this.#settled) queueMicrotask(callback)
    else this.#waiting.push(callback)
  }

  /** Hands nothing out until `release`: the group rebalances, and the task may be another's by then. */
  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    if (this.#settled) this.#wake()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#unsubscribe()
    for (const input of this.#inputs) this.#fetcher.remove(input)
    this.#budget.give(this.#queuedBytes + this.#heldBytes)
    this.#release()
    this.#waiting = []
    this.#page = undefined
    while (this.#pages.shift() !== undefined);
    this.#fetcher.wake()
  }

  /** Called by an input. */
  add(input: ReaderInput, fetched: readonly StreamRecord[], next: number, leaderEpoch: number | null): void {
    if (this.#closed) return
    const records = next <= input.until ? fetched : fetched.filter(({ offset }) => offset < input.until)
    let bytes = 0
    for (const record of records) {
      bytes += recordBytes(record) + queuedRecordBytes + record.headers.length * queuedHeaderBytes
    }
    const page: Page = { input, records, next: Math.min(next, input.until), bytes, leaderEpoch }
    this.#queuedRecords += records.length
    this.#queuedBytes += bytes
    // What was taken for it before it was unpacked becomes what it has turned out to be, at once: nobody comes between.
    const reserved = input === this.#unpacking ? this.#reservedBytes : 0
    this.#budget.take(bytes - reserved)
    this.#reservedBytes -= reserved
    if (this.#page !== undefined) this.#pages.push(page)
    else this.#show(page)
    if (this.#queuedRecords >= this.#readAhead.records || this.#queuedBytes >= this.#readAhead.bytes) this.#full = true
    if (this.#settled) this.#wake()
  }

  /** Called by an input: so many bytes more, or less, wait for it packed. */
  held(bytes: number): void {
    if (this.#closed) return
    this.#heldBytes += bytes
    if (bytes > 0) this.#budget.take(bytes)
    else this.#budget.give(-bytes)
  }

  /** Called by an input that is about to unpack so much. */
  beginUnpacking(input: ReaderInput, bytes: number): boolean {
    if (this.#closed || this.#unpacking !== null) return false
    if (bytes > leastPageBytes && !this.#budget.admits(this.#wakeFetcher)) return false
    this.#unpacking = input
    this.#reservedBytes = bytes
    this.#budget.take(bytes)
    return true
  }

  endUnpacking(): void {
    this.#unpacking = null
    this.#release()
    // A turn lasts until what was read in it is handed out; little is not worth one.
    if (!this.#closed && this.#queuedBytes <= 2 * leastPageBytes) this.#budget.pass(this.#wakeFetcher)
  }

  /** Called by an input. */
  failed(error: TidemarkError): void {
    if (this.#closed) return
    this.#failure ??= error
    this.#wake()
  }

  /** True when there is something to tell whoever waits. */
  get #settled(): boolean {
    return this.readable || this.#failure !== null || this.done
  }

  /** The last record of a page was handed out, so what lies behind it is passed as well. */
  #turnPage(finished: Page): void {
    finished.input.position = finished.next
    this.#queuedRecords -= finished.records.length
    this.#queuedBytes -= finished.bytes
    this.#budget.give(finished.bytes)
    this.#page = undefined
    this.#index = 0
    this.#show(this.#pages.shift())
    if (this.#queuedBytes <= 2 * leastPageBytes && this.#unpacking === null) this.#budget.pass(this.#wakeFetcher)
    const { records, bytes } = this.#readAhead
    if (this.#full && this.#queuedRecords <= records / 2 && this.#queuedBytes <= bytes / 2) {
      this.#full = false
      this.#fetcher.wake()
    } else if (this.#queuedRecords === 0 && this.#budget.spent) {
      // Nobody else will: the budget may stay spent.
      this.#fetcher.wake()
    }
  }

  /** Passes over pages in which nothing is left: markers, aborted records, gaps. */
  #show(from: Page | undefined): void {
    let page = from
    while (page !== undefined && page.records.length === 0) {
      page.input.position = page.next
      page.input.leaderEpoch = page.leaderEpoch ?? page.input.leaderEpoch
      page = this.#pages.shift()
    }
    this.#page = page
    // The last batch's, also for those before it in the page: too high is harmless, too low would look like a loss.
    if (page !== undefined) page.input.leaderEpoch = page.leaderEpoch ?? page.input.leaderEpoch
    this.#index = 0
  }

  #release(): void {
    const bytes = this.#reservedBytes
    this.#reservedBytes = 0
    this.#budget.give(bytes)
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }
}

/** What a record, and each of its headers, takes besides its bytes. */
const queuedRecordBytes = 200
const queuedHeaderBytes = 86
/** So much is unpacked at once: small enough to be bounded, large enough to cost nothing more. */
const leastPageBytes = 64 * 1024
const mostPageBytes = 1024 * 1024

function required(ends: Positions, topic: string): number {
  const end = ends.get(topic)
  if (end !== undefined) return end
  throw new TidemarkError('broken-invariant', `Reading was started without an end of ${topic}`)
}
