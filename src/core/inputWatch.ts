import { asTidemarkError, type TidemarkError } from './errors.ts'
import type { Clock, Timer } from './ports/clock.ts'
import type { TopicSelection } from './topicSelection.ts'

/** Between two looks because of an input that does not exist. */
const missingLookMs = 1_000

export interface InputWatchOptions {
  readonly clock: Clock
  readonly inputs: readonly TopicSelection[]
  readonly intervalMs: number
  /** How much longer than 1 a wait is, or shorter, so that not all processes look at the same moment; default 1. */
  readonly spread?: () => number
  /** Looks at the inputs as they are now, and does what has to be done about it. */
  look(): Promise<void>
  /** The group cannot be used with the inputs as they are now. */
  failed(failure: TidemarkError): void
  /** Told once that looking fails, until it succeeds again. */
  delayed?(failure: TidemarkError): void
}

/** When the inputs of a group are looked at while it runs: from time to time, and when one of them is missing. */
export class InputWatch {
  readonly #options: InputWatchOptions
  #timer: Timer | null = null
  #lookedMs = -Infinity
  /** Of the last look; null: it succeeded. */
  #failure: TidemarkError | null = null
  #ended = false

  constructor(options: InputWatchOptions) {
    this.#options = options
  }

  begin(): void {
    if (this.#timer === null) this.lookIn(this.#options.intervalMs)
  }

  end(): void {
    this.#ended = true
    this.#timer?.cancel()
  }

  /** Looks after about so long, instead of when it would have. */
  lookIn(delayMs: number): void {
    if (this.#ended) return
    const { clock, spread = () => 1 } = this.#options
    this.#timer?.cancel()
    this.#timer = clock.after(delayMs * spread(), () => {
      void this.#look()
    })
  }

  /**
   * Told of an input that does not exist. A topic that only a pattern has chosen may go: it is looked at once, and true says
   * that the tasks will be dealt out without it. One that a list names, and the last one that is left, may not.
   */
  isMissing(topic: string): boolean {
    const { clock, inputs } = this.#options
    const isListed = inputs.some((selection) => selection.kind === 'topics' && selection.topics.includes(topic))
    if (isListed || this.#failure?.code === 'unknown-topic') return false
    if (this.#timer !== null && clock.monotonicMs() - this.#lookedMs >= missingLookMs) {
      this.#timer.cancel()
      void this.#look()
    }
    return true
  }

  async #look(): Promise<void> {
    this.#timer = null
    try {
      await this.#options.look()
      this.#failure = null
    } catch (error) {
      this.#failed(error)
    }
    this.#lookedMs = this.#options.clock.monotonicMs()
    this.lookIn(this.#options.intervalMs)
  }

  #failed(error: unknown): void {
    const failure = asTidemarkError(error, 'system-unreachable', 'Looking for new topics and partitions failed')
    if (failure.code === 'partitions-changed' || failure.code === 'invalid-plan') this.#options.failed(failure)
    else if (this.#failure === null) this.#options.delayed?.(failure)
    this.#failure = failure
  }
}
