import { systemClock, type Clock } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import { TidemarkError, messageOf } from '../core/errors.ts'
import type { Secrets } from '../core/secrets.ts'
import type { RunningJob } from '../runtime/job/startJob.ts'
import { health, readiness } from './health.ts'
import { History } from './history.ts'
import { LagSampler } from './lagSampler.ts'
import { noFilesLeft } from './listen.ts'
import { metricsRegistry } from './metricsRegistry.ts'
import { startPageThread } from './pageThread.ts'
import { plainReply, type Reply } from './snapshots.ts'
import { statusJson } from './status.ts'

export interface DashboardOptions {
  /** The job, or only its metrics where it is still to be started with them. */
  readonly running: Pick<RunningJob, 'metrics'>
  /** `dashboard.port`; 0: none. */
  readonly port: number
  /** True when somebody set the port: if it is taken, that is an error. */
  readonly explicit: boolean
  readonly log: Logger
  /** What nothing of it shows: a topic, a label or an error text may hold one. */
  readonly secrets: Secrets
  /** Shown beside the job's name: `embedded`. */
  readonly world: string
  /** Default: the machine's. */
  readonly clock?: Clock
}

export interface Dashboard {
  /** `http://127.0.0.1:8081`; null when there is none. */
  readonly address: string | null
  /** Frees the port and ends what is being answered. Idempotent. */
  close(): Promise<void>
}

/**
 * Serves the live page at `/`, `/metrics` for Prometheus, `/healthz` and `/readyz`, on 127.0.0.1 only, until it is closed.
 * It looks at the run once a second and when it is asked, and costs nothing for each record. Connections are another
 * thread's: how many there are and what they send is nothing to the job.
 *
 * Start it before the job where a port that is taken should be an error before anything is read: hand the same
 * `JobMetrics` to both.
 *
 * @throws TidemarkError `port-unavailable` or `too-many-files` when `explicit`.
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { running, port, explicit, log, secrets, world, clock = systemClock } = options
  if (port === 0) return none
  const { metrics } = running
  const lag = new LagSampler(metrics, clock)
  const history = new History(metrics, lag, clock)
  const shown: Readonly<Record<string, Shown>> = {
    '/api/status': {
      showsLag: true,
      render: () => {
        const body = statusJson(metrics, { lag, history, world, secrets })
        return { status: 200, type: 'application/json; charset=utf-8', body }
      },
    },
    '/metrics': {
      showsLag: true,
      render: async () => {
        const registry = metricsRegistry(metrics, lag, world)
        return { status: 200, type: registry.contentType, body: maskedLabels(await registry.metrics(), secrets) }
      },
    },
    '/healthz': { showsLag: false, render: () => health(metrics) },
    '/readyz': { showsLag: false, render: () => readiness(metrics) },
  }
  /** Never rejects. */
  const answer = async (path: string): Promise<{ reply: Reply; costMs: number }> => {
    let beganMs = clock.monotonicMs()
    try {
      const it = shown[path]
      if (it === undefined) throw new TidemarkError('broken-invariant', `The page shows no ${path}`)
      if (it.showsLag) await lag.refresh()
      beganMs = clock.monotonicMs()
      const reply = await it.render()
      return { reply, costMs: clock.monotonicMs() - beganMs }
    } catch (error) {
      log.warn('The live page could not answer', { path, reason: messageOf(error) })
      return {
        reply: plainReply(500, 'This could not be answered; the log says why.'),
        costMs: clock.monotonicMs() - beganMs,
      }
    }
  }
  const { listening, close } = await startPageThread({ port, explicit }, { answer, log })
  if (listening.port === null) {
    history.stop()
    if (explicit) throw unavailable(port, listening.reason)
    log.warn('There is no live page and no /metrics', { reason: listening.reason })
    return none
  }
  return {
    address: `http://127.0.0.1:${String(listening.port)}`,
    close: () => {
      history.stop()
      return close()
    },
  }
}

/** What the job's thread answers for a path. */
interface Shown {
  readonly showsLag: boolean
  render(): Reply | Promise<Reply>
}

const none: Dashboard = { address: null, close: () => Promise.resolve() }

function unavailable(port: number, reason: string): TidemarkError {
  if (reason === noFilesLeft) {
    return new TidemarkError('too-many-files', `The live page cannot be opened on port ${String(port)}: ${reason}`)
  }
  return new TidemarkError(
    'port-unavailable',
    `dashboard.port is ${String(port)}, and that port cannot be used: ${reason}. Choose another one, leave it out for the next free one, or set it to 0 for no live page`,
    { details: { port } },
  )
}

/** Only labels hold texts; a number is never a secret. */
function maskedLabels(metrics: string, secrets: Secrets): string {
  return metrics.replaceAll(/"(?:[^"\\]|\\.)*"/g, (label) => secrets.mask(label))
}
