import { Registry } from 'prom-client'
import type { StepFigure } from '../core/figures.ts'
import type { BoundedCounts } from '../runtime/metrics/boundedCounts.ts'
import type { JobMetrics } from '../runtime/metrics/jobMetrics.ts'
import type { LagSampler } from './lagSampler.ts'
import { registerFamily, type Labels, type MetricFamily, type Point } from './metricFamily.ts'

/**
 * The metrics of a run for Prometheus, as they are now; docs/metrics.md says what each one means. Made anew for each scrape,
 * so that between scrapes nothing is spent on them, and steps and clients show theirs once they are known.
 */
export function metricsRegistry(metrics: JobMetrics, lag: LagSampler, world: string): Registry {
  const registry = new Registry()
  const ofSteps = figureFamilies('tidemark', 'step', metrics.figures)
  const families = [
    ...runFamilies(metrics, world),
    ...epochFamilies(metrics),
    ...taskFamilies(metrics, lag),
    ...ofSteps.filter(({ kind }) => kind !== 'histogram'),
    ...processFamilies(),
    ...phaseFamilies(metrics),
    ...ofSteps.filter(({ kind }) => kind === 'histogram'),
    ...figureFamilies('tidemark_client', 'client', metrics.clients),
  ]
  for (const family of families) registerFamily(registry, family)
  return registry
}

/** What steps or clients count by themselves: the figures of one name are one family, with their owners as a label. */
function figureFamilies(
  prefix: string,
  ownerLabel: string,
  owners: Iterable<readonly [owner: string, figures: readonly StepFigure[]]>,
): MetricFamily[] {
  const families = new Map<string, MetricFamily>()
  for (const [owner, figures] of owners) {
    for (const figure of figures) {
      const family = figureFamily(prefix, { [ownerLabel]: owner }, figure)
      const points = [...(families.get(family.name)?.points ?? []), ...family.points]
      // A name stands for one kind, and so for what its points are.
      families.set(family.name, { ...family, points } as MetricFamily)
    }
  }
  return [...families.values()]
}

function figureFamily(prefix: string, owner: Labels, figure: StepFigure): MetricFamily {
  const { name, meaning } = figure
  switch (figure.kind) {
    case 'gauge':
      return gauge(`${prefix}_${name}`, meaning, [[owner, figure.value]])
    case 'counter':
      return counter(`${prefix}_${name}_total`, meaning, [[owner, figure.value]])
    case 'counters': {
      const points = [...figure.value].map(([key, count]): Point => [{ ...owner, [figure.label]: key }, count])
      return counter(`${prefix}_${name}_total`, meaning, points)
    }
    case 'durations':
      return { name: `${prefix}_${name}`, help: meaning, kind: 'histogram', points: [[owner, figure.value]] }
  }
}

function runFamilies(metrics: JobMetrics, world: string): MetricFamily[] {
  return [
    gauge('tidemark_info', 'Always 1; the labels name the job and its world.', [[{ job: metrics.job, world }, 1]]),
    gauge('tidemark_start_time_seconds', 'When the run began, in seconds since 1970.', metrics.startedMs / 1000),
    counter(
      'tidemark_records_read_total',
      'Records given to the pipeline, in epochs that were aborted too.',
      metrics.recordsRead,
    ),
    counts('tidemark_source_records_total', 'Records of a source in committed epochs.', 'step', metrics.sources),
    counts('tidemark_sink_records_total', 'Records sent by a sink in committed epochs.', 'step', metrics.sinks),
    counts('tidemark_dead_letters_total', 'Dead letters in committed epochs.', 'code', metrics.deadLetters),
    counts('tidemark_tallies_total', 'What the job counts with context.tally.', 'name', metrics.tallies),
  ]
}

function epochFamilies({ checkpoints, aborted, restarts }: JobMetrics): MetricFamily[] {
  return [
    counter('checkpoint_commits', 'Epochs committed, over all tasks.', checkpoints.total),
    counts('tidemark_epochs_committed_total', 'Epochs committed, by what ended them.', 'cut', checkpoints),
    counts('tidemark_epochs_aborted_total', 'Epoch attempts given up, by error.', 'code', aborted),
    counts('tidemark_restarts_total', 'Failures that the restart strategy let go on.', 'code', restarts),
  ]
}

function phaseFamilies({ checkpointLatency, epochPhases }: JobMetrics): MetricFamily[] {
  return [
    {
      name: 'checkpoint_latency',
      help: 'Seconds from the barrier of an epoch to its commit.',
      kind: 'histogram',
      points: [[{}, checkpointLatency]],
    },
    {
      name: 'tidemark_epoch_phase_seconds',
      help: 'Seconds that each phase of a committed epoch took.',
      kind: 'histogram',
      points: Object.entries(epochPhases).map(([phase, durations]) => [{ phase: phase.replace(/Ms$/, '') }, durations]),
    },
  ]
}

function taskFamilies({ tasks, gate }: JobMetrics, lag: LagSampler): MetricFamily[] {
  const states = tasks.map(({ state }): Point => [{ state }, 1])
  const lags = tasks.flatMap(({ partition }) =>
    [...(lag.of(partition) ?? [])].map(([topic, records]): Point => [{ topic, partition: String(partition) }, records]),
  )
  const pending = tasks.reduce((sum, task) => sum + task.pending, 0)
  return [
    gauge('tidemark_tasks', 'Tasks of this process, by state.', states),
    gauge('tidemark_lag_records', 'Records between a task and the end of its input.', lags),
    gauge('tidemark_pending_records', 'Records that operators hold now.', pending),
    counter('tidemark_gate_closures_total', 'Times that full operators stopped a source.', gate.closures),
    counter(
      'tidemark_gate_closed_seconds_total',
      'Seconds that sources were stopped, over all tasks.',
      gate.closedMs / 1000,
    ),
  ]
}

/** Under the names that everybody's dashboards know. */
function processFamilies(): MetricFamily[] {
  const { user, system } = process.cpuUsage()
  const { heapUsed } = process.memoryUsage()
  return [
    counter('process_cpu_seconds_total', 'User and system CPU time of the process.', (user + system) / 1_000_000),
    gauge('process_resident_memory_bytes', 'Resident memory of the process.', process.memoryUsage.rss()),
    gauge('nodejs_heap_size_used_bytes', 'Used heap of the process.', heapUsed),
  ]
}

/** One number is a family without labels. */
function counter(name: string, help: string, values: number | readonly Point[]): MetricFamily {
  return { name, help, kind: 'counter', points: pointsOf(values) }
}

function gauge(name: string, help: string, values: number | readonly Point[]): MetricFamily {
  return { name, help, kind: 'gauge', points: pointsOf(values) }
}

function counts(name: string, help: string, label: string, from: BoundedCounts): MetricFamily {
  return counter(
    name,
    help,
    from.entries().map(([key, count]) => [{ [label]: key }, count]),
  )
}

function pointsOf(values: number | readonly Point[]): readonly Point[] {
  return typeof values === 'number' ? [[{}, values]] : values
}
