import { asTidemarkError, TidemarkError } from '../../core/errors.ts'
import { formatPosition, type StreamRecord } from '../../core/record.ts'
import { inputGone } from '../../core/topicErrors.ts'
import { offsetPosition } from '../../core/offsetPosition.ts'
import type { Positions } from '../../core/ports/position.ts'
import type { TaskReader } from '../../core/ports/inputs.ts'
import { freshRecord, type MemoryPartition } from './memoryTopic.ts'
import type { PlacedMark } from '../kit/sourceMark.ts'
import type { TestProcess } from './testProcess.ts'

/** A topic that does not exist for so long is gone. */
const topicGoneMs = 30_000
/** How often it is looked for until then. */
const missingMs = 1_000

/** What is known of a topic that was deleted. */
export interface TopicWatch {
  /** The error of one whose name another one has; null while none has it. */
  madeAnew(topic: string): TidemarkError | null
  /** True: the tasks will be dealt out without it. */
  missing(topic: string): boolean
}

const unwatched: TopicWatch = { madeAnew: () => null, missing: () => false }

/** One input of the task. */
export interface ReaderInput {
  readonly partition: MemoryPartition
  /** Next offset to read. */
  position: number
  /** Where reading stops; null: never. */
  readonly end: number | null
}

/**
 * Reads a task's inputs from memory, the record with the lowest timestamp first, and obeys the marks of a test source: at
 * ABORT the process dies, at PAUSE the input is idle for a while.
 */
export class MemoryReader implements TaskReader {
  readonly #process: TestProcess
  readonly #inputs: readonly ReaderInput[]
  readonly #watch: TopicWatch
  readonly #stops: (() => void)[] = []
  /** Where calls take time: the end of each input as its last fetch found it. */
  readonly #fetched: Map<ReaderInput, number> = new Map<ReaderInput, number>()
  readonly #fetching: Set<ReaderInput> = new Set<ReaderInput>()
  /** Marks this reader waits at. */
  readonly #paused: Set<PlacedMark> = new Set<PlacedMark>()
  #waiting: (() => void)[] = []
  #failure: TidemarkError | null = null
  #waitingForTopic = false
  #closed = false

  constructor(process: TestProcess, inputs: readonly ReaderInput[], watch: TopicWatch = unwatched) {
    this.#process = process
    this.#watch = watch
    this.#inputs = inputs
    for (const input of inputs) {
      const look = (): void => {
        if (process.hasFates) this.#fetch(input)
        else this.#notify()
      }
      this.#stops.push(input.partition.onAppended(look))
      look()
    }
  }

  get failure(): TidemarkError | null {
    return this.#failure
  }

  get readable(): boolean {
    return this.#nextInput() !== null
  }

  get done(): boolean {
    if (this.#closed || !this.#process.alive) return false
    return this.#inputs.every(
      (input) => input.end !== null && input.position >= input.end && this.#mark(input) === null,
    )
  }

  next(): StreamRecord | undefined {
    const found = this.#nextInput()
    if (found === null) return undefined
    found.input.position = found.record.offset + 1
    return freshRecord(found.record)
  }

  positions(): Positions {
    return new Map(this.#inputs.map(({ partition, position }) => [partition.topic, offsetPosition(position)]))
  }

  whenReadable(callback: () => void): void {
    this.#waiting.push(callback)
    queueMicrotask(() => {
      this.#notify()
    })
  }

  close(): void {
    this.#closed = true
    this.#waiting = []
    for (const stop of this.#stops.splice(0)) stop()
  }

  /** Asks how far the input goes now; once more when that has changed meanwhile. */
  #fetch(input: ReaderInput): void {
    if (this.#closed || this.#fetching.has(input) || this.#endOf(input) >= input.partition.range.end) return
    this.#fetching.add(input)
    this.#process
      .call('log.fetch', () => input.partition.range.end)
      .then(
        (end) => {
          this.#fetched.set(input, end)
        },
        (error: unknown) => {
          this.#failure = asTidemarkError(error, 'system-unreachable', 'Fetching failed')
        },
      )
      .then(
        () => {
          this.#fetching.delete(input)
          this.#notify()
          this.#fetch(input)
        },
        () => undefined,
      )
  }

  #endOf(input: ReaderInput): number {
    return this.#process.hasFates ? (this.#fetched.get(input) ?? input.position) : input.partition.range.end
  }

  #notify(): void {
    if (this.#closed || !this.#process.alive || this.#waiting.length === 0) return
    if (!this.readable && !this.done && this.#failure === null) return
    // `readable` may have met an ABORT.
    if (!this.#process.alive) return
    for (const callback of this.#waiting.splice(0)) callback()
  }

  #nextInput(): { readonly input: ReaderInput; readonly record: StreamRecord } | null {
    let next: { readonly input: ReaderInput; readonly record: StreamRecord } | null = null
    for (const input of this.#inputs) {
      if (this.#closed || !this.#process.alive || this.#failure !== null) return null
      const record = this.#head(input)
      if (record !== null && (next === null || record.timestamp < next.record.timestamp)) next = { input, record }
    }
    return next
  }

  /** The record an input can give now. */
  #head(input: ReaderInput): StreamRecord | null {
    if (input.partition.removed) {
      this.#isGone(input.partition.topic)
      return null
    }
    const { start } = input.partition.range
    const end = this.#endOf(input)
    if (input.position < start) {
      const { topic, partition } = input.partition
      const position = formatPosition({ topic, partition, offset: input.position })
      this.#failure = new TidemarkError('data-removed', `${position} was removed before it was read.`)
      return null
    }
    const mark = this.#mark(input)
    if (mark !== null) {
      this.#obey(mark)
      return null
    }
    const record = input.partition.from(input.position)
    const limit = Math.min(input.end ?? end, end)
    if (record !== undefined && record.offset < limit) return record
    // Gaps are skipped.
    input.position = Math.max(input.position, limit)
    return null
  }

  /** A deleted topic is waited for, as a reader of a broker does; another one in its place is not read. */
  #isGone(topic: string): void {
    this.#failure = this.#watch.madeAnew(topic)
    if (this.#failure !== null || this.#waitingForTopic) return
    this.#waitingForTopic = true
    const { clock } = this.#process
    const untilMs = clock.monotonicMs() + topicGoneMs
    const look = (): void => {
      if (this.#closed) return
      const isTakenBack = this.#watch.missing(topic)
      if (isTakenBack || clock.monotonicMs() < untilMs) {
        clock.after(missingMs, look)
        return
      }
      this.#failure ??= inputGone(topic)
      this.#notify()
    }
    clock.after(missingMs, look)
  }

  /** The mark an input stands at, as long as it holds. */
  #mark({ partition, position }: ReaderInput): PlacedMark | null {
    for (const placed of partition.marks) {
      if (placed.offset > position) break
      if (placed.offset < position || placed.spent) continue
      if (
        placed.mark.kind === 'pause' &&
        placed.untilMs !== null &&
        this.#process.clock.monotonicMs() >= placed.untilMs
      ) {
        placed.spent = true
        continue
      }
      return placed
    }
    return null
  }

  #obey(placed: PlacedMark): void {
    if (placed.mark.kind === 'abort') {
      placed.spent = true
      this.#process.kill('ABORT in the test source')
      return
    }
    if (this.#paused.has(placed)) return
    this.#paused.add(placed)
    const { clock } = this.#process
    placed.untilMs ??= clock.monotonicMs() + placed.mark.ms
    const timer = clock.after(placed.untilMs - clock.monotonicMs(), () => {
      this.#notify()
    })
    this.#stops.push(() => {
      timer.cancel()
    })
  }
}
