import { errorCodes, type ErrorCode, type TidemarkError } from '../core/errors.ts'
import type { Secrets } from '../core/secrets.ts'
import type { JobMetrics, MeasuredTask } from '../runtime/metrics/jobMetrics.ts'
import type { BoundedCounts } from '../runtime/metrics/boundedCounts.ts'
import type { History, RecentLatency } from './history.ts'
import type { LagSampler } from './lagSampler.ts'

const shownCommits = 12
const shownTasks = 256
const maxMessage = 400

interface Sources {
  readonly lag: LagSampler
  readonly history: History
  /** For people: `embedded`. */
  readonly world: string
  readonly secrets: Secrets
}

/** What the page shows; the body of /api/status. It serves the page and changes with it. */
export type DashboardStatus = ReturnType<typeof statusOf>

/** The run as it is now, in JSON. */
export function statusJson(metrics: JobMetrics, sources: Sources): string {
  return sources.secrets.maskJson(JSON.stringify(statusOf(metrics, sources)))
}

function statusOf(metrics: JobMetrics, { lag, history, world, secrets }: Sources) {
  const { job, phase, failure, startedMs, elapsedMs, tasks, deadLetters, checkpoints } = metrics
  return {
    job,
    world,
    phase,
    failure: trouble(failure, secrets),
    nowMs: startedMs + elapsedMs,
    elapsedMs,
    recordsPerSecond: history.recordsPerSecond,
    recordsCommitted: metrics.recordsCommitted,
    /** Null: not known. */
    lag: lag.total,
    inFlight: metrics.inFlight,
    deadLetters: { total: deadLetters.total, byCode: byCode(deadLetters) },
    checkpoints: {
      committed: checkpoints.total,
      aborted: byCode(metrics.aborted),
      restarts: metrics.restarts.total,
      /** Newest first. */
      last: metrics.commits.slice(-shownCommits).toReversed(),
    },
    gateClosedMs: metrics.gate.closedMs,
    steps: metrics.steps.flatMap((step) => stepStatus(step, metrics, history)),
    tasks: tasks.slice(0, shownTasks).map((task) => ({
      ...taskStatus(task, metrics, lag),
      trouble: trouble(task.trouble, secrets),
    })),
    /** Tasks beyond those shown. */
    moreTasks: Math.max(0, tasks.length - shownTasks),
    tallies: metrics.tallies.entries().map(([name, count]) => ({ name, count })),
    series: history.series,
  }
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

/** None for a step that counts nothing. */
function stepStatus(
  { name, kind, details }: JobMetrics['steps'][number],
  metrics: JobMetrics,
  history: History,
): StepStatus[] {
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

function taskStatus({ partition, state, pending, gate }: MeasuredTask, metrics: JobMetrics, lag: LagSampler) {
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
function byCode(counts: BoundedCounts) {
  return (
    counts
      .entries()
      // A code that is not ours has no meaning that we know.
      .map(([code, count]) => ({ code, count, meaning: isCode(code) ? errorCodes[code].summary : '' }))
      .toSorted((a, b) => b.count - a.count)
  )
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code)
}

/** Masked before it is cut: half of a secret would not be known for one. */
function trouble(error: TidemarkError | null, secrets: Secrets) {
  if (error === null) return null
  const { code } = error
  const message = secrets.mask(error.message)
  return { code, message: message.length > maxMessage ? `${message.slice(0, maxMessage)}…` : message }
}
