import type { Clock, Timer } from './clock.ts'

/** What an item needs in order to stand in a `Deadlines` list; the list owns these fields. One list at a time. */
export interface Timed<T> {
  dueAt: number
  earlier: T | null
  later: T | null
}

/**
 * Deadlines of one constant length, so the oldest is always due first: a linked list and one timer for all of them.
 *
 * Adding and removing cost a few nanoseconds and touch no timer; the timer that is set looks at the list when it fires
 * and is set again for the oldest that is left.
 */
export class Deadlines<T extends Timed<T>> {
  readonly #clock: Clock
  readonly #lengthMs: number
  readonly #due: (item: T) => void
  #oldest: T | null = null
  #youngest: T | null = null
  #timer: Timer | null = null

  /** `due` is called for each item that has been in the list for `lengthMs`; the item has left the list by then. */
  constructor(clock: Clock, lengthMs: number, due: (item: T) => void) {
    this.#clock = clock
    this.#lengthMs = lengthMs
    this.#due = due
  }

  get oldest(): T | null {
    return this.#oldest
  }

  add(item: T, now: number): void {
    item.dueAt = now + this.#lengthMs
    item.earlier = this.#youngest
    item.later = null
    if (this.#youngest === null) this.#oldest = item
    else this.#youngest.later = item
    this.#youngest = item
    if (this.#timer === null) this.#setTimer(this.#lengthMs)
  }

  /** Does nothing for an item that is not in the list. */
  remove(item: T): void {
    if (item.earlier === null && this.#oldest !== item) return
    if (item.earlier === null) this.#oldest = item.later
    else item.earlier.later = item.later
    if (item.later === null) this.#youngest = item.earlier
    else item.later.earlier = item.earlier
    item.earlier = null
    item.later = null
  }

  /** Cancels the timer; nothing is due any more. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#oldest = null
    this.#youngest = null
  }

  #setTimer(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = null
      const now = this.#clock.now()
      // A callback may add, remove or close; so the list is looked at anew each time.
      for (let item = this.#oldest; item !== null && item.dueAt <= now; item = this.#oldest) {
        this.remove(item)
        this.#due(item)
      }
      if (this.#oldest !== null && this.#timer === null) this.#setTimer(Math.max(1, this.#oldest.dueAt - now))
    })
  }
}
