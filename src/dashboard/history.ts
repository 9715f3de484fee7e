import type { Clock, Timer } from '../core/ports/clock.ts'
import type { Durations } from '../core/figures.ts'
import type { JobMetrics } from '../runtime/metrics/jobMetrics.ts'
import type { LagSampler } from './lagSampler.ts'

const intervalMs = 1_000
/** Two minutes. */
const maxSamples = 120
/** Rates and latencies speak of this long. */
const rateWindowMs = 5_000
const latencyWindowMs = 30_000

/** What is drawn as a line; one entry a sample, oldest first. */
export interface Series {
  readonly recordsPerSecond: readonly number[]
  readonly lag: readonly (number | null)[]
  readonly inFlight: readonly number[]
  readonly deadLetters: readonly number[]
}

/** How long what a step waits for took lately: the bounds in ms of the buckets that hold the two quantiles. Null: slower than any bound. */
export interface RecentLatency {
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

interface Sample {
  readonly atMs: number
  readonly read: number
  readonly deadLetters: number
  readonly inFlight: number
  readonly lag: number | null
  readonly latencies: ReadonlyMap<string, Latencies>
}

type Latencies = Pick<Durations, 'boundsMs' | 'counts'>

/** Looks at the run once a second and remembers the last two minutes, for the page's lines, rates and latencies. */
export class History {
  readonly #metrics: JobMetrics
  readonly #lag: LagSampler
  readonly #clock: Clock
  readonly #samples: Sample[]
  #timer: Timer | null = null

  constructor(metrics: JobMetrics, lag: LagSampler, clock: Clock) {
    this.#metrics = metrics
    this.#lag = lag
    this.#clock = clock
    this.#samples = [this.#sample()]
    this.#schedule()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Records given to the pipeline a second, lately. */
  get recordsPerSecond(): number {
    const now = this.#sample()
    const before = this.#before(now.atMs - rateWindowMs)
    return rate(before, now)
  }

  get series(): Series {
    const samples = this.#samples
    return {
      recordsPerSecond: samples.slice(1).map((sample, index) => rate(samples[index] ?? sample, sample)),
      lag: samples.map(({ lag }) => lag),
      inFlight: samples.map(({ inFlight }) => inFlight),
      deadLetters: samples.map(({ deadLetters }) => deadLetters),
    }
  }

  /** Null when nothing that the step waits for ended lately. */
  latency(step: string): RecentLatency | null {
    const { atMs, latencies } = this.#sample()
    const now = latencies.get(step)
    const before = this.#before(atMs - latencyWindowMs).latencies.get(step)
    const counts = now?.counts.map((count, bucket) => count - (before?.counts[bucket] ?? 0)) ?? []
    if (now === undefined || !counts.some((count) => count > 0)) return null
    const lately = { boundsMs: now.boundsMs, counts }
    return { p50Ms: quantileMs(lately, 0.5), p99Ms: quantileMs(lately, 0.99) }
  }

  #schedule(): void {
    this.#timer = this.#clock.after(intervalMs, () => {
      this.#samples.push(this.#sample())
      if (this.#samples.length > maxSamples) this.#samples.shift()
      this.#schedule()
    })
  }

  /** The last sample that is at least so old, or the oldest. */
  #before(atMs: number): Sample {
    return this.#samples.findLast((sample) => sample.atMs <= atMs) ?? this.#samples[0] ?? this.#sample()
  }

  #sample(): Sample {
    const { recordsRead, deadLetters, figures, inFlight } = this.#metrics
    const latencies = new Map<string, Latencies>()
    for (const [step, own] of figures) {
      const durations = own.find(({ kind }) => kind === 'durations')
      if (durations?.kind !== 'durations') continue
      const { boundsMs, counts } = durations.value
      latencies.set(step, { boundsMs, counts: [...counts] })
    }
    return {
      atMs: this.#clock.monotonicMs(),
      read: recordsRead,
      deadLetters: deadLetters.total,
      inFlight,
      lag: this.#lag.total,
      latencies,
    }
  }
}

function rate(before: Sample, now: Sample): number {
  const elapsedMs = now.atMs - before.atMs
  // What is read is counted down by a moment between an epoch's abort and its note.
  return elapsedMs <= 0 ? 0 : Math.max(0, ((now.read - before.read) * 1000) / elapsedMs)
}

function quantileMs({ boundsMs, counts }: Latencies, quantile: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  let seen = 0
  const bucket = counts.findIndex((count) => (seen += count) >= total * quantile)
  return boundsMs[bucket] ?? null
}
