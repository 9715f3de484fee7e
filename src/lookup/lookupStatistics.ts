import type { ErrorCode } from '../core/errors.ts'
import { Durations, figure, type StepFigure } from '../core/figures.ts'

const latencyBoundsMs: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]

/**
 * What the lookups of one step did, over all epochs of its task, aborted ones included: it counts work done, not results
 * committed.
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
  /** Of requests. */
  readonly latency = new Durations(latencyBoundsMs)

  refused(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }

  /** In the order in which docs/metrics.md has them. */
  figures(): readonly StepFigure[] {
    const counter = (name: string, meaning: string, value: number, shown?: string): StepFigure => ({
      ...figure('counter', `lookup_${name}`, meaning, value),
      ...(shown === undefined ? {} : { shown }),
    })
    return [
      { ...figure('gauge', 'lookup_in_flight', 'Lookup requests in flight now.', this.inFlight), shown: 'inFlight' },
      counter('requests', 'Lookup requests sent; a group of records is one.', this.requests),
      counter('records', 'Records asked for, tries again included.', this.lookups, 'records'),
      counter('hits', 'Records whose row was found.', this.hits, 'hits'),
      counter('misses', 'Records that have no row.', this.misses, 'misses'),
      counter('retries', 'Records that were asked for again.', this.retries, 'retries'),
      counter('timeouts', 'Records whose lookup did not end within its timeout.', this.timeouts, 'timeouts'),
      counter('probes', 'Probes sent to a system that did not answer.', this.probes),
      counter('outages', 'Times that the looked-up system did not answer at all.', this.outages, 'outages'),
      {
        name: 'lookup_errors',
        meaning: 'Records whose lookup failed for good, by error.',
        kind: 'counters',
        label: 'code',
        value: this.errors,
      },
      {
        name: 'lookup_request_seconds',
        meaning: 'Seconds from sending a lookup request to its answer; a group of records is one request.',
        kind: 'durations',
        value: this.latency,
      },
    ]
  }
}
