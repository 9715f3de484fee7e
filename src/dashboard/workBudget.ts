import type { Clock } from '../core/ports/clock.ts'

export interface WorkBudgetOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** How long this thread has worked so far. */
  readonly workedMs: () => number
  /** Makes the whole thread wait. */
  readonly sleep: (ms: number) => void
  /** Part of the time that may be work. */
  readonly share: number
  /** Work that may come at once, after so much rest; and the most that has to be made up for. */
  readonly burstMs: number
}

/**
 * Long enough for a stretch of work that is done warm: after each of many short sleeps a piece of it costs five times as much.
 * Connections that have come meanwhile wait in the system, and none of the deadlines is far behind.
 */
const sleepMs = 100

/**
 * Holds a thread to a share of the time: one that has worked more sleeps, with all it has to do. So whatever is asked of
 * it, and how it is asked, takes no more of the machine than this.
 */
export class WorkBudget {
  readonly #options: WorkBudgetOptions
  #atMs: number
  #workedMs: number
  #creditMs: number

  constructor(options: WorkBudgetOptions) {
    this.#options = options
    this.#atMs = options.clock.monotonicMs()
    this.#workedMs = options.workedMs()
    this.#creditMs = options.burstMs
  }

  /** To be called with each piece of work. */
  pay(): void {
    this.#settle()
    if (this.#creditMs >= 0) return
    this.#options.sleep(sleepMs)
    this.#settle()
  }

  #settle(): void {
    const { clock, workedMs, share, burstMs } = this.#options
    const nowMs = clock.monotonicMs()
    const worked = workedMs()
    const credit = this.#creditMs + (nowMs - this.#atMs) * share - (worked - this.#workedMs)
    // One long piece of work is not slept off for seconds.
    this.#creditMs = Math.max(-burstMs, Math.min(burstMs, credit))
    this.#atMs = nowMs
    this.#workedMs = worked
  }
}
