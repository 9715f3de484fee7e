import { Registry } from 'prom-client'
import { latencyBoundsMs, type LookupStatistics } from '../core/lookupStatistics.ts'
import type { BoundedCounts } from '../runtime/metrics/boundedCounts.ts'
import type { DurationBuckets } from '../runtime/metrics/durationBuckets.ts'
import type { JobMetrics } from '../runtime/metrics/jobMetrics.ts'
import type { LagSampler } from './lagSampler.ts'
import { registerFamily, registerHistogram, type Labels, type MetricFamily, type Point } from './metricFamily.ts'

/**
 * The metrics of a run for Prometheus; docs/metrics.md says what each one means. Values are read from `metrics` at each
 * scrape, so that between scrapes nothing is spent on them.
 */
export function metricsRegistry(metrics: JobMetrics, lag: LagSampler, world: string): Registry {
  const registry = new Registry()
  const families = [
    ...runFamilies(metrics, world),
    ...epochFamilies(metrics),
    ...taskFamilies(metrics, lag),
    ...lookupFamilies(metrics),
    ...processFamilies(),
  ]
  for (const family of families) registerFamily(registry, family)
  registerHistogram(registry, {
    name: 'checkpoint_latency',
    help: 'Seconds from the barrier of an epoch to its commit.',
    series: () => [bucketSeries({}, metrics.checkpointLatency)],
  })
  const { emitMs, drainMs, commitMs, applyMs } = metrics.epochPhases
  registerHistogram(registry, {
    name: 'tidemark_epoch_phase_seconds',
    help: 'Seconds that each phase of a committed epoch took.',
    labels: ['phase'],
    series: () =>
      Object.entries({ emit: emitMs, drain: drainMs, commit: commitMs, apply: applyMs }).map(([phase, buckets]) =>
        bucketSeries({ phase }, buckets),
      ),
  })
  registerHistogram(registry, {
    name: 'tidemark_lookup_request_seconds',
    help: 'Seconds from sending a lookup request to its answer; a group of records is one request.',
    labels: ['step'],
    series: () =>
      [...metrics.lookups].map(([step, { latencyBuckets, latencySumMs }]) => ({
        labels: { step },
        boundsMs: latencyBoundsMs,
        counts: latencyBuckets,
        sumMs: latencySumMs,
      })),
  })
  return registry
}

/** The numbers that clients count. Their names are known only once the clients are, so they are registered then. */
export function registerClientFigures(registry: Registry, metrics: JobMetrics): void {
  for (const [, figures] of metrics.clients) {
    for (const { name, meaning, kind } of figures) {
      const metricName = `tidemark_client_${name}${kind === 'counter' ? '_total' : ''}`
      if (registry.getSingleMetric(metricName) !== undefined) continue
      registerFamily(registry, {
        name: metricName,
        help: meaning,
        kind,
        labels: ['client'],
        points: () =>
          metrics.clients.flatMap(([client, current]) =>
            current.filter((figure) => figure.name === name).map(({ value }): Point => [{ client }, value]),
          ),
      })
    }
  }
}

function runFamilies(metrics: JobMetrics, world: string): MetricFamily[] {
  const job = { job: metrics.job, world }
  return [
    gauge('tidemark_info', 'Always 1; the labels name the job and its world.', ['job', 'world'], () => [[job, 1]]),
    gauge('tidemark_start_time_seconds', 'When the run began, in seconds since 1970.', [], () => [
      [{}, metrics.startedMs / 1000],
    ]),
    counter('tidemark_records_read_total', 'Records given to the pipeline, in epochs that were aborted too.', () => [
      [{}, metrics.recordsRead],
    ]),
    counts('tidemark_source_records_total', 'Records of a source in committed epochs.', 'step', metrics.sources),
    counts('tidemark_sink_records_total', 'Records sent by a sink in committed epochs.', 'step', metrics.sinks),
    counts('tidemark_dead_letters_total', 'Dead letters in committed epochs.', 'code', metrics.deadLetters),
    counts('tidemark_tallies_total', 'What the job counts with context.tally.', 'name', metrics.tallies),
  ]
}

function epochFamilies(metrics: JobMetrics): MetricFamily[] {
  return [
    counter('checkpoint_commits', 'Epochs committed, over all tasks.', () => [[{}, metrics.checkpoints.total]]),
    counts('tidemark_epochs_committed_total', 'Epochs committed, by what ended them.', 'cut', metrics.checkpoints),
    counts('tidemark_epochs_aborted_total', 'Epoch attempts given up, by error.', 'code', metrics.aborted),
    counts('tidemark_restarts_total', 'Failures that the restart strategy let go on.', 'code', metrics.restarts),
  ]
}

function taskFamilies(metrics: JobMetrics, lag: LagSampler): MetricFamily[] {
  return [
    gauge('tidemark_tasks', 'Tasks of this process, by state.', ['state'], () =>
      metrics.tasks.map(({ state }): Point => [{ state }, 1]),
    ),
    gauge('tidemark_lag_records', 'Records between a task and the end of its input.', ['topic', 'partition'], () =>
      metrics.tasks.flatMap(({ partition }) =>
        [...(lag.of(partition) ?? [])].map(([topic, records]): Point => [
          { topic, partition: String(partition) },
          records,
        ]),
      ),
    ),
    gauge('tidemark_pending_records', 'Records that operators hold now.', [], () => [
      [{}, metrics.tasks.reduce((sum, { pending }) => sum + pending, 0)],
    ]),
    counter('tidemark_gate_closures_total', 'Times that full operators stopped a source.', () => [
      [{}, metrics.gate.closures],
    ]),
    counter('tidemark_gate_closed_seconds_total', 'Seconds that sources were stopped, over all tasks.', () => [
      [{}, metrics.gate.closedMs / 1000],
    ]),
  ]
}

function lookupFamilies(metrics: JobMetrics): MetricFamily[] {
  const perStep = (value: (statistics: LookupStatistics) => number) => (): Point[] =>
    [...metrics.lookups].map(([step, statistics]) => [{ step }, value(statistics)])
  const total = (name: string, help: string, value: (statistics: LookupStatistics) => number): MetricFamily => ({
    ...counter(`tidemark_lookup_${name}_total`, help, perStep(value)),
    labels: ['step'],
  })
  return [
    gauge(
      'tidemark_lookup_in_flight',
      'Lookup requests in flight now.',
      ['step'],
      perStep((it) => it.inFlight),
    ),
    total('requests', 'Lookup requests sent; a group of records is one.', (it) => it.requests),
    total('records', 'Records asked for, tries again included.', (it) => it.lookups),
    total('hits', 'Records whose row was found.', (it) => it.hits),
    total('misses', 'Records that have no row.', (it) => it.misses),
    total('retries', 'Records that were asked for again.', (it) => it.retries),
    total('timeouts', 'Records whose lookup did not end within its timeout.', (it) => it.timeouts),
    total('probes', 'Probes sent to a system that did not answer.', (it) => it.probes),
    total('outages', 'Times that the looked-up system did not answer at all.', (it) => it.outages),
    {
      ...counter('tidemark_lookup_errors_total', 'Records whose lookup failed for good, by error.', () =>
        [...metrics.lookups].flatMap(([step, { errors }]) =>
          [...errors].map(([code, count]): Point => [{ step, code }, count]),
        ),
      ),
      labels: ['step', 'code'],
    },
  ]
}

/** Under the names that everybody's dashboards know. */
function processFamilies(): MetricFamily[] {
  return [
    counter('process_cpu_seconds_total', 'User and system CPU time of the process.', () => {
      const { user, system } = process.cpuUsage()
      return [[{}, (user + system) / 1_000_000]]
    }),
    gauge('process_resident_memory_bytes', 'Resident memory of the process.', [], () => [
      [{}, process.memoryUsage.rss()],
    ]),
    gauge('nodejs_heap_size_used_bytes', 'Used heap of the process.', [], () => [[{}, process.memoryUsage().heapUsed]]),
  ]
}

function counter(name: string, help: string, points: () => readonly Point[]): MetricFamily {
  return { name, help, kind: 'counter', points }
}

function gauge(name: string, help: string, labels: readonly string[], points: () => readonly Point[]): MetricFamily {
  return { name, help, kind: 'gauge', labels, points }
}

function counts(name: string, help: string, label: string, from: BoundedCounts): MetricFamily {
  const points = (): Point[] => from.entries().map(([key, count]) => [{ [label]: key }, count])
  return { name, help, kind: 'counter', labels: [label], points }
}

function bucketSeries(labels: Labels, { boundsMs, counts: perBucket, sumMs }: DurationBuckets) {
  return { labels, boundsMs, counts: perBucket, sumMs }
}
