import type { Clock, Timer } from '../core/ports/clock.ts'

/** What an item needs in order to stand in a `Deadlines` list; the list owns these fields. One list at a time. */
export interface Timed<T> {
  dueAt: number
  earlier: T | null
  later: T | null
}

/** Looks at the list in one length, at least. */
const looks = 8
/** A timer that is so late was held up by a process that stood still: suspended, frozen, or in a long collection. */
const stalledMs = 100

/**
 * Deadlines of one constant length, so the oldest is always due first: a linked list and one timer for all of them.
 *
 * While the process stands still nothing can be heard of what the items wait for, so that time counts for none of them. The
 * timer fires several times in one length, and what it is late then is added to every deadline.
 *
 * Adding and removing cost a few nanoseconds and touch no timer; the timer that is set looks at the list when it fires
 * and is set again for the oldest that is left. An item may be added with less than that length; its place is then looked
 * for from the oldest on.
 */
export class Deadlines<T extends Timed<T>> {
  readonly #clock: Clock
  readonly #lengthMs: number
  readonly #due: (item: T) => void
  #oldest: T | null = null
  #youngest: T | null = null
  #timer: Timer | null = null
  /** When it fires. */
  #timerAt = 0

  /** `due` is called for each item that has been in the list for `lengthMs`; the item has left the list by then. */
  constructor(clock: Clock, lengthMs: number, due: (item: T) => void) {
    this.#clock = clock
    this.#lengthMs = lengthMs
    this.#due = due
  }

  get oldest(): T | null {
    return this.#oldest
  }

  /** @param leftMs until it is due, where that is less than the length. */
  add(item: T, now: number, leftMs = Infinity): void {
    const delayMs = Math.min(leftMs, this.#lengthMs)
    item.dueAt = now + delayMs
    this.#insert(item, delayMs < this.#lengthMs ? this.#dueAfter(item.dueAt) : null)
    if (this.#timer === null) this.#setTimer(delayMs, now)
    else if (item.dueAt < this.#timerAt && this.#oldest === item) {
      this.#timer.cancel()
      this.#setTimer(delayMs, now)
    }
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

  #dueAfter(time: number): T | null {
    let item = this.#oldest
    while (item !== null && item.dueAt < time) item = item.later
    return item
  }

  #insert(item: T, later: T | null): void {
    const earlier = later === null ? this.#youngest : later.earlier
    item.earlier = earlier
    item.later = later
    if (earlier === null) this.#oldest = item
    else earlier.later = item
    if (later === null) this.#youngest = item
    else later.earlier = item
  }

  #setTimer(delayMs: number, from: number): void {
    const untilLookMs = Math.min(delayMs, Math.ceil(this.#lengthMs / looks))
    this.#timerAt = from + untilLookMs
    this.#timer = this.#clock.after(untilLookMs, () => {
      this.#timer = null
      const now = this.#clock.monotonicMs()
      const lateMs = now - this.#timerAt
      if (lateMs >= stalledMs) for (let item = this.#oldest; item !== null; item = item.later) item.dueAt += lateMs
      // A callback may add, remove or close; so the list is looked at anew each time.
      for (let item = this.#oldest; item !== null && item.dueAt <= now; item = this.#oldest) {
        this.remove(item)
        this.#due(item)
      }
      if (this.#oldest !== null && this.#timer === null) this.#setTimer(Math.max(1, this.#oldest.dueAt - now), now)
    })
  }
}
