import { errorCodes, type ErrorCode, type TidemarkError } from '../core/errors.ts'
import type { Secrets } from '../core/secrets.ts'
import type { CommitEntry, JobMetrics, MeasuredStep, MeasuredTask } from '../runtime/metrics/jobMetrics.ts'
import type { BoundedCounts } from '../runtime/metrics/boundedCounts.ts'
import type { History, RecentLatency, Series } from './history.ts'
import type { LagSampler } from './lagSampler.ts'

const shownCommits = 12
const shownTasks = 256
const maxMessage = 400

interface Count {
  readonly code: string
  readonly count: number
  /** What the code means; empty for one that is not ours. */
  readonly meaning: string
}

interface Trouble {
  readonly code: string
  readonly message: string
}

/** What the page shows; the body of /api/status. It serves the page and changes with it. */
export interface DashboardStatus {
  readonly job: string
  readonly world: string
  readonly phase: JobMetrics['phase']
  readonly failure: Trouble | null
  readonly nowMs: number
  readonly elapsedMs: number
  readonly recordsPerSecond: number
  readonly recordsCommitted: number
  /** Null: not known. */
  readonly lag: number | null
  readonly inFlight: number
  readonly deadLetters: { readonly total: number; readonly byCode: readonly Count[] }
  readonly checkpoints: {
    readonly committed: number
    readonly aborted: readonly Count[]
    readonly restarts: number
    /** Newest first. */
    readonly last: readonly CommitEntry[]
  }
  readonly gateClosedMs: number
  readonly steps: readonly StepStatus[]
  readonly tasks: readonly TaskStatus[]
  /** Tasks beyond those shown. */
  readonly moreTasks: number
  readonly tallies: readonly { readonly name: string; readonly count: number }[]
  readonly series: Series
}

interface StepStatus {
  readonly name: string
  readonly kind: string
  /** Topic or system. */
  readonly subject: string
  /** Committed; of a step with figures of its own, the records that it says. */
  readonly records: number
  /** Its own figures, by the names under which it has them shown; null: it has none. Lookups were the first that had some. */
  readonly lookup: (Readonly<Record<string, unknown>> & { readonly latency: RecentLatency | null }) | null
}

interface TaskStatus {
  readonly partition: number
  readonly state: MeasuredTask['state']
  readonly epoch: number | null
  readonly records: number
  readonly lag: number | null
  readonly pending: number
  readonly gateClosedMs: number
  readonly trouble: Trouble | null
}

/** The run as it is now. */
export function dashboardStatus(
  metrics: JobMetrics,
  {
    lag,
    history,
    world,
    secrets,
  }: {
    readonly lag: LagSampler
    readonly history: History
    readonly world: string
    readonly secrets: Secrets
  },
): DashboardStatus {
  const { tasks } = metrics
  return {
    job: metrics.job,
    world,
    phase: metrics.phase,
    failure: trouble(metrics.failure, secrets),
    nowMs: metrics.startedMs + metrics.elapsedMs,
    elapsedMs: metrics.elapsedMs,
    recordsPerSecond: history.recordsPerSecond,
    recordsCommitted: metrics.recordsCommitted,
    lag: lag.total,
    inFlight: metrics.inFlight,
    deadLetters: { total: metrics.deadLetters.total, byCode: byCode(metrics.deadLetters) },
    checkpoints: {
      committed: metrics.checkpoints.total,
      aborted: byCode(metrics.aborted),
      restarts: metrics.restarts.total,
      last: metrics.commits.slice(-shownCommits).toReversed(),
    },
    gateClosedMs: metrics.gate.closedMs,
    steps: metrics.steps.flatMap((step) => stepStatus(step, metrics, history)),
    tasks: tasks.slice(0, shownTasks).map((task) => ({
      ...taskStatus(task, metrics, lag),
      trouble: trouble(task.trouble, secrets),
    })),
    moreTasks: Math.max(0, tasks.length - shownTasks),
    tallies: metrics.tallies.entries().map(([name, count]) => ({ name, count })),
    series: history.series,
  }
}

/** Steps that count something; null for the others. */
function stepStatus({ name, kind, details }: MeasuredStep, metrics: JobMetrics, history: History): StepStatus[] {
  const subject = String(details['topic'] ?? details['system'] ?? '')
  const figures = metrics.figures.get(name)
  if (figures?.some((figure) => 'shown' in figure) === true) {
    const shown: Record<string, number> = {}
    for (const figure of figures) {
      if ('shown' in figure && figure.shown !== undefined) shown[figure.shown] = figure.value
    }
    const { records = 0, ...others } = shown
    return [{ name, kind, subject, records, lookup: { ...others, latency: history.latency(name) } }]
  }
  const records = countOf(metrics.sources, name) ?? countOf(metrics.sinks, name)
  return records === undefined ? [] : [{ name, kind, subject, records, lookup: null }]
}

function taskStatus(task: MeasuredTask, metrics: JobMetrics, lag: LagSampler): Omit<TaskStatus, 'trouble'> {
  const { partition, state, pending, gate } = task
  const totals = metrics.partition(partition)
  const byTopic = lag.of(partition)
  return {
    partition,
    state,
    epoch: totals?.epoch ?? null,
    records: totals?.records ?? 0,
    lag: byTopic === null ? null : [...byTopic.values()].reduce((sum, records) => sum + records, 0),
    pending,
    gateClosedMs: gate.closedMs,
  }
}

function countOf(counts: BoundedCounts, key: string): number | undefined {
  return counts.entries().find(([own]) => own === key)?.[1]
}

/** The most frequent first. */
function byCode(counts: BoundedCounts): Count[] {
  return counts
    .entries()
    .map(([code, count]) => ({ code, count, meaning: isCode(code) ? errorCodes[code].summary : '' }))
    .toSorted((a, b) => b.count - a.count)
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code)
}

/** Masked before it is cut: half of a secret would not be known for one. */
function trouble(error: TidemarkError | null, secrets: Secrets): Trouble | null {
  if (error === null) return null
  const { code } = error
  const message = secrets.mask(error.message)
  return { code, message: message.length > maxMessage ? `${message.slice(0, maxMessage)}…` : message }
}
