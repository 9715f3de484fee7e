import { atMost, type Clock } from '../core/ports/clock.ts'
import type { JobMetrics } from '../runtime/metrics/jobMetrics.ts'

/** A lag is asked for again when somebody looks and the last answer is this old. */
const maxAgeMs = 2_000
/** A scrape waits no longer for the log. */
const patienceMs = 1_000
/** An answer as old as this says nothing any more. */
const staleMs = 30_000

/** How far the tasks are behind the log. Asks the log only while somebody looks, and never twice in `maxAgeMs`. */
export class LagSampler {
  readonly #metrics: JobMetrics
  readonly #clock: Clock
  #lags: ReadonlyMap<number, ReadonlyMap<string, number>> = new Map()
  #answeredMs = -Infinity
  #askedMs = -Infinity
  #asking: Promise<void> | null = null

  constructor(metrics: JobMetrics, clock: Clock) {
    this.#metrics = metrics
    this.#clock = clock
  }

  /** Brings the lags up to date where that is due; resolves in any case, after a second at most. */
  async refresh(): Promise<void> {
    const now = this.#clock.monotonicMs()
    if (this.#asking === null && now - this.#askedMs >= maxAgeMs) {
      this.#askedMs = now
      this.#asking = this.#ask().finally(() => {
        this.#asking = null
      })
    }
    if (this.#asking !== null) await atMost(this.#clock, patienceMs, this.#asking)
  }

  /** By topic; null when it is not known. */
  of(partition: number): ReadonlyMap<string, number> | null {
    if (this.#clock.monotonicMs() - this.#answeredMs > staleMs) return null
    return this.#lags.get(partition) ?? null
  }

  /** Over all tasks; null when one of them is not known, or before there are any. */
  get total(): number | null {
    if (this.#metrics.phase === 'starting') return null
    let total = 0
    for (const { partition, state } of this.#metrics.tasks) {
      if (state === 'ended') continue
      const lag = this.of(partition)
      if (lag === null) return null
      for (const records of lag.values()) total += records
    }
    return total
  }

  async #ask(): Promise<void> {
    const lags = new Map<number, ReadonlyMap<string, number>>()
    const asked = this.#metrics.tasks.map(async (task) => {
      lags.set(task.partition, await task.lag())
    })
    // A log that does not answer leaves the lag of its task unknown, which is what is shown; the task itself reports it.
    await Promise.allSettled(asked)
    this.#lags = lags
    this.#answeredMs = this.#clock.monotonicMs()
  }
}
