import type { Clock, Timer } from '../../../core/ports/clock.ts'

/** So long what was read beyond the budget is waited for; then it may be another's turn, whatever holds up the first. */
const turnMs = 200

/**
 * How much a process may have read ahead, over all its tasks. A task that has nothing may read one record beyond it: else one
 * that is in an outage could starve the others. Such tasks take turns, each until it has handed out what it has read.
 */
export class ReadBudget {
  readonly #maxBytes: number
  readonly #clock: Clock
  /** The tasks, each as the callback that wakes it. */
  readonly #tasks = new Set<() => void>()
  #bytes = 0
  /** Whose turn it is beyond the budget. */
  #turn: { readonly task: () => void; readonly timer: Timer } | null = null
  /** Who waits for a turn, in order. */
  readonly #waiting = new Set<() => void>()
  /** Who is being woken because it is the next. */
  #next: (() => void) | null = null

  /** `maxBytes`: of keys, values and headers in all queues, of what is kept packed, and of large records under way. */
  constructor(maxBytes: number, clock: Clock) {
    this.#maxBytes = maxBytes
    this.#clock = clock
  }

  get spent(): boolean {
    return this.#bytes >= this.#maxBytes
  }

  /** What may still be taken; 0 when it is spent. */
  get left(): number {
    return Math.max(0, this.#maxBytes - this.#bytes)
  }

  /** Negative where it was less than had been taken before. */
  take(bytes: number): void {
    const wasSpent = this.spent
    this.#bytes += bytes
    if (!wasSpent || this.spent) return
    this.#waiting.clear()
    for (const wake of this.#tasks) wake()
  }

  give(bytes: number): void {
    this.take(-bytes)
  }

  /** Wakes a task whenever a spent budget has room again, and when its turn has come; returns how to stop that. */
  onFreed(wake: () => void): () => void {
    this.#tasks.add(wake)
    return () => {
      this.#tasks.delete(wake)
      this.pass(wake)
    }
  }

  /** Whether a task may unpack more than little: there is room, or it is its turn. False: it is woken when that is so. */
  admits(task: () => void): boolean {
    if (!this.spent || this.#turn?.task === task) return true
    const isFirst = this.#next === task || (this.#next === null && this.#waiting.size === 0)
    if (this.#turn !== null || !isFirst) {
      this.#waiting.add(task)
      return false
    }
    const timer = this.#clock.after(turnMs, () => {
      this.pass(task)
    })
    this.#turn = { task, timer }
    return true
  }

  /** A task has nothing any more of what it has read, or wants nothing: its turn is over. */
  pass(task: () => void): void {
    this.#waiting.delete(task)
    if (this.#turn?.task !== task) return
    this.#turn.timer.cancel()
    this.#turn = null
    while (this.#turn === null) {
      const [next] = this.#waiting
      if (next === undefined) return
      this.#waiting.delete(next)
      // Who does not take it now has found something else to do, and asks again.
      this.#next = next
      next()
      this.#next = null
    }
  }
}
