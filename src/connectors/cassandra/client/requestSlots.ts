import { Fifo } from '../../../core/fifo.ts'

interface Waiting {
  isWanted(): boolean
  settle(isTaken: boolean): void
}

/**
 * At most so many requests under way in one process; the driver has no bound of its own but a refusal. What waits does so
 * without a limit of time, because that is nobody's fault, and is dropped when its turn comes if nobody waits for it any
 * more: what an epoch that was given up has left behind does not delay the next one.
 *
 * Whoever has taken a slot must give it back: the driver ends each request, answered or not, by its own timeout.
 */
export class RequestSlots {
  readonly #limit: number
  readonly #waiting = new Fifo<Waiting>()
  #inFlight = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Takes a slot if one is free. */
  tryTake(): boolean {
    if (this.#inFlight >= this.#limit) return false
    this.#inFlight += 1
    return true
  }

  /** Waits for its turn. True: it has a slot; false: it was not wanted any more. */
  take(isWanted: () => boolean): Promise<boolean> {
    return new Promise((settle) => {
      this.#waiting.push({ isWanted, settle })
    })
  }

  /** Gives a slot back; called once for each one taken. */
  free(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const isWanted = next.isWanted()
      next.settle(isWanted)
      // The slot changes hands.
      if (isWanted) return
    }
    this.#inFlight -= 1
  }
}
