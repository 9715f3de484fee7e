import type { Logger } from '../core/ports/logger.ts'
import type { Plan } from '../runtime/plan/plan.ts'
import type { RunRequest } from './runRequest.ts'

/** What a run knows before it reaches for anything. */
export interface RunPlace {
  readonly plan: Plan
  readonly log: Logger
  /** Absolute. */
  readonly dataDirectory: string
  /** The topics that the job writes, as far as the plan knows them. */
  readonly topics: readonly string[]
}

/** A port that somebody chose is that one or an error; the default gives way. Workers take the ports above it. */
export function dashboardPort(
  settings: RunRequest['settings'],
  worker = 0,
): { readonly port: number; readonly explicit: boolean } {
  const port = settings.get('dashboard.port')
  return { port: port === 0 ? 0 : port + worker, explicit: settings.origin('dashboard.port') !== 'default' }
}
