import type { ErrorCode } from './errors.ts'

/** Upper bounds of the latency buckets in ms; one more bucket holds what took longer. */
export const latencyBoundsMs: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]

/**
 * What the lookups of one step did, over all epochs of its task, aborted ones included: it counts work done, not results
 * committed. Metrics read it through `Step.keep`.
 */
export class LookupStatistics {
  /** Requests sent; a group is one. */
  requests = 0
  /** Records asked for in these requests, tries again included. */
  lookups = 0
  hits = 0
  misses = 0
  /** Records that were tried again. */
  retries = 0
  /** Records whose lookup did not end within its timeout. */
  timeouts = 0
  /** Records that went to dead letters, or failed the epoch, by error code. */
  readonly errors = new Map<ErrorCode, number>()
  probes = 0
  outages = 0
  /** Requests in flight now, those that wait in the client included. */
  inFlight = 0
  /** Requests given up at their deadline whose client has not let go of them yet. */
  abandoned = 0
  /** Times the step was full and closed the gate. */
  gateClosed = 0
  latencySumMs = 0
  latencyCount = 0
  /** Requests per bucket of `latencyBoundsMs`, not cumulated. */
  readonly latencyBuckets: number[] = Array.from({ length: latencyBoundsMs.length + 1 }, () => 0)

  answered(latencyMs: number): void {
    this.latencySumMs += latencyMs
    this.latencyCount += 1
    let bucket = 0
    while (bucket < latencyBoundsMs.length && latencyMs > (latencyBoundsMs[bucket] ?? 0)) bucket += 1
    this.latencyBuckets[bucket] = (this.latencyBuckets[bucket] ?? 0) + 1
  }

  refused(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }
}
