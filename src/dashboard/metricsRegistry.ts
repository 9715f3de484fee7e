import { Registry } from 'prom-client'
import type { Durations, StepFigure } from '../core/figures.ts'
import type { BoundedCounts } from '../runtime/metrics/boundedCounts.ts'
import type { JobMetrics } from '../runtime/metrics/jobMetrics.ts'
import type { LagSampler } from './lagSampler.ts'
import {
  registerFamily,
  registerHistogram,
  type BucketSeries,
  type HistogramFamily,
  type Labels,
  type MetricFamily,
  type Point,
} from './metricFamily.ts'

/**
 * The metrics of a run for Prometheus, as they are now; docs/metrics.md says what each one means. Made anew for each scrape,
 * so that between scrapes nothing is spent on them, and steps and clients show theirs once they are known.
 */
export function metricsRegistry(metrics: JobMetrics, lag: LagSampler, world: string): Registry {
  const registry = new Registry()
  const ofSteps = figureFamilies('tidemark', 'step', metrics.figures)
  const ofClients = figureFamilies('tidemark_client', 'client', metrics.clients)
  const { emitMs, drainMs, commitMs, applyMs } = metrics.epochPhases
  const families = [
    ...runFamilies(metrics, world),
    ...epochFamilies(metrics),
    ...taskFamilies(metrics, lag),
    ...ofSteps.families,
    ...processFamilies(),
  ]
  const histograms: HistogramFamily[] = [
    {
      name: 'checkpoint_latency',
      help: 'Seconds from the barrier of an epoch to its commit.',
      series: () => [bucketSeries({}, metrics.checkpointLatency)],
    },
    {
      name: 'tidemark_epoch_phase_seconds',
      help: 'Seconds that each phase of a committed epoch took.',
      labels: ['phase'],
      series: () =>
        Object.entries({ emit: emitMs, drain: drainMs, commit: commitMs, apply: applyMs }).map(([phase, durations]) =>
          bucketSeries({ phase }, durations),
        ),
    },
    ...ofSteps.histograms,
  ]
  for (const family of families) registerFamily(registry, family)
  for (const histogram of histograms) registerHistogram(registry, histogram)
  for (const family of ofClients.families) registerFamily(registry, family)
  return registry
}

/** What steps or clients count by themselves: the figures of one name are one family, with their owners as a label. */
function figureFamilies(
  prefix: string,
  ownerLabel: string,
  owners: Iterable<readonly [owner: string, figures: readonly StepFigure[]]>,
): { readonly families: readonly MetricFamily[]; readonly histograms: readonly HistogramFamily[] } {
  const families: MetricFamily[] = []
  const histograms: HistogramFamily[] = []
  const owned = [...owners].flatMap(([owner, figures]) =>
    figures.map((figure) => ({ labels: { [ownerLabel]: owner }, figure })),
  )
  for (const [figureName, all] of Map.groupBy(owned, ({ figure }) => figure.name)) {
    const [first] = all
    if (first === undefined) continue
    const { kind, meaning: help } = first.figure
    const name = `${prefix}_${figureName}`
    if (kind === 'durations') {
      const series = all.flatMap(({ labels, figure }): BucketSeries[] =>
        figure.kind === kind ? [bucketSeries(labels, figure.value)] : [],
      )
      histograms.push({ name, help, labels: [ownerLabel], series: () => series })
    } else if (kind === 'counters') {
      const { label } = first.figure
      const points = all.flatMap(({ labels, figure }) =>
        figure.kind === kind
          ? [...figure.value].map(([key, count]): Point => [{ ...labels, [label]: key }, count])
          : [],
      )
      families.push({ ...counter(`${name}_total`, help, () => points), labels: [ownerLabel, label] })
    } else {
      const points = all.flatMap(({ labels, figure }): Point[] =>
        figure.kind === kind ? [[labels, figure.value]] : [],
      )
      families.push({
        name: kind === 'counter' ? `${name}_total` : name,
        help,
        kind,
        labels: [ownerLabel],
        points: () => points,
      })
    }
  }
  return { families, histograms }
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

function bucketSeries(labels: Labels, { boundsMs, counts: perBucket, sumMs }: Durations): BucketSeries {
  return { labels, boundsMs, counts: perBucket, sumMs }
}
