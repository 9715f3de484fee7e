import { systemClock, type Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { RunningJob } from '../runtime/jobRun.ts'
import { createDashboardServer, type Reply, type Routes } from './dashboardServer.ts'
import { health, readiness } from './health.ts'
import { History } from './history.ts'
import { LagSampler } from './lagSampler.ts'
import { listen } from './listen.ts'
import { metricsRegistry, registerClientFigures } from './metricsRegistry.ts'
import { loadPage } from './page.ts'
import { dashboardStatus } from './status.ts'

export interface DashboardOptions {
  /** The job, or only its metrics where it is still to be started with them. */
  readonly running: Pick<RunningJob, 'metrics'>
  /** `dashboard.port`; 0: none. */
  readonly port: number
  /** True when somebody set the port: if it is taken, that is an error. */
  readonly explicit: boolean
  readonly log: Logger
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
 * It looks at the run once a second and when it is asked, and costs nothing for each record.
 *
 * Start it before the job where a port that is taken should be an error before anything is read: hand the same
 * `JobMetrics` to both.
 *
 * @throws TidemarkError `port-unavailable` when `explicit`.
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { running, port, explicit, log, world, clock = systemClock } = options
  if (port === 0) return { address: null, close: () => Promise.resolve() }
  const { metrics } = running
  const lag = new LagSampler(metrics, clock)
  const registry = metricsRegistry(metrics, lag, world)
  const { html, contentSecurityPolicy } = loadPage()
  const history = new History(metrics, lag, clock)
  const routes: Routes = new Map<string, () => Reply | Promise<Reply>>([
    ['/', () => ({ status: 200, type: 'text/html; charset=utf-8', body: html, contentSecurityPolicy })],
    [
      '/api/status',
      async () => {
        await lag.refresh()
        const body = JSON.stringify(dashboardStatus(metrics, { lag, history, world }))
        return { status: 200, type: 'application/json; charset=utf-8', body }
      },
    ],
    [
      '/metrics',
      async () => {
        await lag.refresh()
        registerClientFigures(registry, metrics)
        return { status: 200, type: registry.contentType, body: await registry.metrics() }
      },
    ],
    ['/healthz', () => health(metrics)],
    ['/readyz', () => readiness(metrics)],
  ])
  const server = createDashboardServer(routes, log)
  const bound = await listen(server, { port, explicit, log }).catch((error: unknown) => {
    history.stop()
    throw error
  })
  if (bound === null) history.stop()
  return {
    address: bound === null ? null : `http://127.0.0.1:${String(bound)}`,
    close: () =>
      new Promise((resolve) => {
        history.stop()
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}
