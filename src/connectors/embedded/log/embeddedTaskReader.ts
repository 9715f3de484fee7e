import { TidemarkError, asTidemarkError } from '../../../core/errors.ts'
import { Fifo } from '../../../core/fifo.ts'
import { formatPosition, type StreamRecord } from '../../../core/record.ts'
import type { Positions } from '../../../core/ports/task.ts'
import type { TaskReader } from '../../../core/ports/inputs.ts'
import type { PartitionLog } from '../store/topic.ts'
import { readLogPage, type LogPage } from '../store/readLogPage.ts'
import type { Storage } from '../store/storage.ts'

/** How far a reader reads ahead; one page may come on top. */
export interface ReadAhead {
  /** Default 10,000. Fetching goes on when half of them are left. */
  readonly records: number
  /** Stored bytes; default 4 MiB. */
  readonly bytes: number
}

const defaultReadAhead: ReadAhead = { records: 10_000, bytes: 4 * 1024 * 1024 }
/** Most of a page: decoding one takes less than a millisecond. A batch holds up to 1,000 records or one large one. */
const pageBatches = 8
const pageBytes = 256 * 1024
const batchRecords = 1_000

/** One input of the task. `fetched` runs ahead of `position`, which counts what was handed out. */
interface Input {
  readonly topic: string
  readonly log: PartitionLog
  readonly until: number
  fetched: number
  position: number
}

interface QueuedPage extends LogPage {
  readonly input: Input
}

const nothing: readonly StreamRecord[] = []

/**
 * Reads partitions of the embedded log ahead of its consumer, page by page and input by input in turn. New records wake it;
 * it never polls.
 */
export class EmbeddedTaskReader implements TaskReader {
  readonly #storage: Storage
  readonly #readAhead: ReadAhead
  readonly #inputs: readonly Input[]
  readonly #unsubscribe: readonly (() => void)[]
  readonly #pages = new Fifo<QueuedPage>()
  /** The page that is being handed out; undefined when nothing is queued. */
  #page: QueuedPage | undefined
  #records = nothing
  #index = 0
  #queuedRecords = 0
  #queuedBytes = 0
  #full = false
  #fetching = false
  #closed = false
  #turn = 0
  #waiting: (() => void)[] = []
  #failure: TidemarkError | null = null

  constructor(
    storage: Storage,
    logs: readonly PartitionLog[],
    positions: Positions,
    ends: Positions | null,
    readAhead: Partial<ReadAhead> = {},
  ) {
    this.#storage = storage
    this.#readAhead = { ...defaultReadAhead, ...readAhead }
    this.#inputs = logs.map((log) => {
      const position = required(positions, log, 'position')
      const until = ends === null ? Infinity : required(ends, log, 'end')
      if (position > log.end) this.#failure ??= beyondEnd(log, position)
      return { topic: log.topic, log, until, fetched: position, position }
    })
    this.#unsubscribe = logs.map((log) =>
      log.onAppend(() => {
        void this.#fetch()
      }),
    )
    void this.#fetch()
  }

  get failure(): Error | null {
    return this.#failure
  }

  get readable(): boolean {
    return this.#page !== undefined
  }

  get done(): boolean {
    return !this.#closed && this.#page === undefined && this.#inputs.every(({ position, until }) => position >= until)
  }

  next(): StreamRecord | undefined {
    const index = this.#index
    const record = index < this.#records.length ? this.#records[index] : undefined
    const page = this.#page
    if (record === undefined || page === undefined) return undefined
    this.#index = index + 1
    page.input.position = record.offset + 1
    if (index + 1 === this.#records.length) this.#turnPage(page)
    return record
  }

  positions(): Positions {
    return new Map(this.#inputs.map(({ topic, position }) => [topic, position]))
  }

  whenReadable(callback: () => void): void {
    if (this.#settled) queueMicrotask(callback)
    else this.#waiting.push(callback)
  }

  close(): void {
    this.#closed = true
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#waiting = []
    this.#page = undefined
    this.#records = nothing
    this.#index = 0
    while (this.#pages.shift() !== undefined);
  }

  /** True when there is something to tell whoever waits. */
  get #settled(): boolean {
    return this.readable || this.#failure !== null || this.done
  }

  /** The last record of a page was handed out, so the gap behind it is passed as well. */
  #turnPage(finished: QueuedPage): void {
    finished.input.position = finished.next
    this.#queuedRecords -= finished.records.length
    this.#queuedBytes -= finished.bytes
    let page = this.#pages.shift()
    while (page !== undefined && page.records.length === 0) {
      page.input.position = page.next
      this.#queuedBytes -= page.bytes
      page = this.#pages.shift()
    }
    this.#show(page)
    const { records, bytes } = this.#readAhead
    if (this.#full && this.#queuedRecords <= records / 2 && this.#queuedBytes <= bytes / 2) {
      this.#full = false
      void this.#fetch()
    }
  }

  #show(page: QueuedPage | undefined): void {
    this.#page = page
    this.#records = page?.records ?? nothing
    this.#index = 0
  }

  async #fetch(): Promise<void> {
    if (this.#fetching) return
    this.#fetching = true
    try {
      for (let input = this.#nextInput(); input !== undefined; input = this.#nextInput()) {
        const page = await readLogPage(this.#storage, input.log, {
          from: input.fetched,
          until: input.until,
          maxBatches: Math.max(1, Math.min(pageBatches, Math.floor(this.#readAhead.records / batchRecords))),
          maxBytes: Math.min(pageBytes, this.#readAhead.bytes),
        })
        if (this.#closed) return
        this.#add({ input, ...page })
      }
    } catch (error) {
      if (!this.#closed) this.#failure = asTidemarkError(error, 'broken-invariant', 'Reading the embedded log failed')
    } finally {
      this.#fetching = false
    }
    if (this.#settled) this.#wake()
  }

  /** The inputs take turns; undefined when the queue is full or everything there is has been fetched. */
  #nextInput(): Input | undefined {
    if (this.#closed || this.#full || this.#failure !== null) return undefined
    for (let step = 0; step < this.#inputs.length; step += 1) {
      const input = this.#inputs[(this.#turn + step) % this.#inputs.length]
      if (input === undefined || input.fetched >= Math.min(input.until, input.log.end)) continue
      this.#turn = (this.#turn + step + 1) % this.#inputs.length
      return input
    }
    return undefined
  }

  #add(page: QueuedPage): void {
    page.input.fetched = page.next
    if (this.#page !== undefined) this.#pages.push(page)
    else if (page.records.length > 0) this.#show(page)
    else {
      page.input.position = page.next
      return
    }
    this.#queuedRecords += page.records.length
    this.#queuedBytes += page.bytes
    const { records, bytes } = this.#readAhead
    this.#full = this.#queuedRecords >= records || this.#queuedBytes >= bytes
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }
}

function required(offsets: Positions, log: PartitionLog, what: string): number {
  const offset = offsets.get(log.topic)
  if (offset !== undefined) return offset
  throw new TidemarkError('broken-invariant', `Reading was started without a ${what} of ${log.topic}`)
}

function beyondEnd({ topic, partition, end }: PartitionLog, offset: number): TidemarkError {
  const position = formatPosition({ topic, partition, offset })
  return new TidemarkError(
    'data-removed',
    `The next record to read is ${position}, and the topic ends at ${String(end)}: it was replaced. Begin again with --reset-offsets earliest`,
    { details: { topic, partition, offset, end } },
  )
}
