import type { RestartPolicy } from '../task/restart.ts'
import type { FrameworkSettings } from './frameworkSettings.ts'

/** What a job file itself sets; it stands below flags, environment and properties file. */
export interface JobValues {
  readonly checkpoint?: { readonly intervalMs?: number; readonly minPauseMs?: number; readonly timeoutMs?: number }
  readonly restart?: RestartPolicy
  /** Texts by key, for any known setting. */
  readonly values?: Readonly<Record<string, string>>
}

type MembersOf<Union> = Union extends unknown ? keyof Union : never

/** The same as texts by key; `values` win over `checkpoint` and `restart`. */
export function jobValueTexts({ checkpoint, restart, values }: JobValues): ReadonlyMap<string, string> {
  // Each strategy has some of them.
  const policy: Readonly<Partial<Record<MembersOf<RestartPolicy>, string | number>>> = restart ?? {}
  const given = {
    'checkpoint.interval.ms': checkpoint?.intervalMs,
    'checkpoint.min.pause.ms': checkpoint?.minPauseMs,
    'checkpoint.timeout.ms': checkpoint?.timeoutMs,
    'restart.strategy': policy.strategy,
    'restart.attempts': policy.attempts,
    'restart.delay.ms': policy.delayMs,
    'restart.failure.rate.max': policy.maxFailures,
    'restart.failure.rate.interval.ms': policy.intervalMs,
    'restart.max.delay.ms': policy.maxDelayMs,
    'restart.reset.after.ms': policy.resetAfterMs,
    ...values,
  } satisfies { readonly [Key in keyof FrameworkSettings]?: unknown }
  return new Map(Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])))
}
