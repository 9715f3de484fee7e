import type { Clock } from '../../core/clock.ts'
import { TidemarkError } from '../../core/errors.ts'
import { Fifo } from '../../core/fifo.ts'

interface Waiting {
  readonly sinceMs: number
  start(): void
  refuse(error: TidemarkError): void
}

/**
 * At most so many requests under way in one process; the driver has no bound of its own but a refusal. What waits longer
 * than an answer may take is refused without being sent: whoever asked has given up or will ask again.
 */
export class RequestSlots {
  readonly limit: number
  readonly #longestWaitMs: number
  readonly #clock: Clock
  readonly #waiting = new Fifo<Waiting>()
  #inFlight = 0

  constructor(limit: number, longestWaitMs: number, clock: Clock) {
    this.limit = limit
    this.#longestWaitMs = longestWaitMs
    this.#clock = clock
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Takes a slot if one is free. */
  tryTake(): boolean {
    if (this.#inFlight >= this.limit) return false
    this.#inFlight += 1
    return true
  }

  /** Takes a slot in turn, once one is free. Rejects with `system-unreachable` after too long a wait. */
  take(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ sinceMs: this.#clock.now(), start: resolve, refuse: reject })
    })
  }

  /** Gives a slot back; called once for each one taken. */
  free(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (this.#clock.now() - next.sinceMs <= this.#longestWaitMs) {
        // The slot changes hands.
        next.start()
        return
      }
      next.refuse(this.#tooLong())
    }
    this.#inFlight -= 1
  }

  #tooLong(): TidemarkError {
    return new TidemarkError(
      'system-unreachable',
      `${String(this.limit)} requests to Cassandra were under way for more than ${String(this.#longestWaitMs)} ms; this one was not sent`,
      { retriable: true, details: { system: 'cassandra' } },
    )
  }
}
