import { TidemarkError } from './errors.ts'
import { Fifo } from './fifo.ts'
import { offsetOf, offsetPosition } from './offsetPosition.ts'
import type { Positions } from './ports/position.ts'
import type { TaskReader } from './ports/inputs.ts'
import type { StreamRecord } from './record.ts'

/** How far a task reads ahead; one page may come on top. */
export interface ReadAhead {
  /** Fetching goes on when half of them are left. */
  readonly records: number
  readonly bytes: number
}

export const defaultReadAhead: ReadAhead = { records: 10_000, bytes: 4 * 1024 * 1024 }

/** One input of a task. */
export interface PagedInput {
  readonly topic: string
  /** Next offset to hand out. */
  position: number
  /** Reading stops before it; Infinity: never. */
  readonly until: number
}

/** Consecutive records of one input, as they were fetched. */
export interface QueuedPage {
  readonly input: PagedInput
  readonly records: readonly StreamRecord[]
  /** Where the input goes on behind it, over gaps and markers. */
  readonly next: number
  /** What it counts for in the queue. */
  readonly bytes: number
}

const nothing: readonly StreamRecord[] = []

/**
 * The queue of pages between a log and the pump, with its high-water mark, at which the log stops fetching, and the low one,
 * at which it goes on. How pages are fetched is a subclass's to say. While it is held, it takes pages and hands nothing out.
 */
export abstract class PagedReader<Page extends QueuedPage> implements TaskReader {
  protected abstract readonly inputs: readonly PagedInput[]
  readonly #readAhead: ReadAhead
  readonly #pages = new Fifo<Page>()
  /** The page that is being handed out; undefined when nothing is queued. */
  #page: Page | undefined
  #records = nothing
  #index = 0
  #queuedRecords = 0
  #queuedBytes = 0
  #full = false
  #held = false
  #closed = false
  #waiting: (() => void)[] = []
  #failure: TidemarkError | null = null

  constructor(readAhead: ReadAhead) {
    this.#readAhead = readAhead
  }

  get failure(): TidemarkError | null {
    return this.#failure
  }

  get readable(): boolean {
    return this.#page !== undefined && !this.#held
  }

  get done(): boolean {
    if (this.#closed || this.#held || this.#page !== undefined) return false
    return this.inputs.every(({ position, until }) => position >= until)
  }

  next(): StreamRecord | undefined {
    const index = this.#index
    const record = index < this.#records.length ? this.#records[index] : undefined
    const page = this.#page
    if (record === undefined || page === undefined || this.#held) return undefined
    this.#index = index + 1
    page.input.position = record.offset + 1
    if (index + 1 === this.#records.length) this.#turn(page)
    return record
  }

  positions(): Positions {
    return new Map(this.inputs.map(({ topic, position }) => [topic, offsetPosition(position)]))
  }

  whenReadable(callback: () => void): void {
    if (this.#settled) queueMicrotask(callback)
    else this.#waiting.push(callback)
  }

  /** Hands nothing out until `release`: the task may be another's by then. */
  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    this.#wake()
  }

  /** Reading has failed for good. */
  fail(error: TidemarkError): void {
    if (this.#closed) return
    this.#failure ??= error
    this.#wake()
  }

  close(): void {
    this.#closed = true
    this.#waiting = []
    this.#show(undefined)
    while (this.#pages.shift() !== undefined);
  }

  protected get closed(): boolean {
    return this.#closed
  }

  /** From the high-water mark on until the low one is reached again: nothing more is to be fetched. */
  protected get full(): boolean {
    return this.#full
  }

  protected get queuedRecords(): number {
    return this.#queuedRecords
  }

  protected get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Takes what was fetched behind all that is queued. A page may be empty: it is then passed, as its turn comes. */
  protected enqueue(page: Page): void {
    this.#queuedRecords += page.records.length
    this.#queuedBytes += page.bytes
    if (this.#page === undefined) this.#show(page)
    else this.#pages.push(page)
    const { records, bytes } = this.#readAhead
    if (this.#queuedRecords >= records || this.#queuedBytes >= bytes) this.#full = true
    this.#wake()
  }

  /** A page begins to be handed out, or is passed because it is empty. */
  protected began?(page: Page): void

  /** The last record of a page was handed out. `isLow`: there is room again, so fetching goes on. */
  protected abstract finished(page: Page, isLow: boolean): void

  /** True when there is something to tell whoever waits. */
  get #settled(): boolean {
    return this.readable || this.#failure !== null || this.done
  }

  /** What lies behind the last record of a page is passed with it. */
  #turn(finished: Page): void {
    this.#leave(finished)
    this.#show(this.#pages.shift())
    const { records, bytes } = this.#readAhead
    const isLow = this.#full && this.#queuedRecords <= records / 2 && this.#queuedBytes <= bytes / 2
    if (isLow) this.#full = false
    this.finished(finished, isLow)
  }

  /** Passes over pages in which nothing is left: markers, aborted records, gaps. */
  #show(from: Page | undefined): void {
    let page = from
    while (page !== undefined && page.records.length === 0) {
      this.began?.(page)
      this.#leave(page)
      page = this.#pages.shift()
    }
    if (page !== undefined) this.began?.(page)
    this.#page = page
    this.#records = page?.records ?? nothing
    this.#index = 0
  }

  #leave({ input, records, next, bytes }: Page): void {
    input.position = next
    this.#queuedRecords -= records.length
    this.#queuedBytes -= bytes
  }

  /** Tells whoever waits, once there is something to tell. */
  #wake(): void {
    if (this.#waiting.length === 0 || !this.#settled) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }
}

/** Where reading a topic stops; without ends, never. */
export function endOf(topic: string, ends: Positions | null): number {
  if (ends === null) return Infinity
  const end = ends.get(topic)
  if (end !== undefined) return offsetOf(end)
  throw new TidemarkError('broken-invariant', `Reading was started without an end of ${topic}`)
}
