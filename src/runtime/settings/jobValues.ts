import type { RestartPolicy } from '../task/restart.ts'

/** What a job file itself sets; it stands below flags, environment and properties file. */
export interface JobValues {
  readonly checkpoint?: { readonly intervalMs?: number; readonly minPauseMs?: number; readonly timeoutMs?: number }
  readonly restart?: RestartPolicy
  /** Texts by key, for any known setting. */
  readonly values?: Readonly<Record<string, string>>
}

/** The same as texts by key; `values` win over `checkpoint` and `restart`. */
export function jobValueTexts(job: JobValues): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  const put = (key: string, value: number | string | undefined): void => {
    if (value !== undefined) texts.set(key, String(value))
  }
  put('checkpoint.interval.ms', job.checkpoint?.intervalMs)
  put('checkpoint.min.pause.ms', job.checkpoint?.minPauseMs)
  put('checkpoint.timeout.ms', job.checkpoint?.timeoutMs)
  const { restart } = job
  put('restart.strategy', restart?.strategy)
  switch (restart?.strategy) {
    case 'fixed-delay':
      put('restart.attempts', restart.attempts)
      put('restart.delay.ms', restart.delayMs)
      break
    case 'failure-rate':
      put('restart.failure.rate.max', restart.maxFailures)
      put('restart.failure.rate.interval.ms', restart.intervalMs)
      put('restart.delay.ms', restart.delayMs)
      break
    case 'exponential-delay':
      put('restart.delay.ms', restart.delayMs)
      put('restart.max.delay.ms', restart.maxDelayMs)
      put('restart.reset.after.ms', restart.resetAfterMs)
      break
    case 'none':
    case undefined:
      break
  }
  for (const [key, value] of Object.entries(job.values ?? {})) put(key, value)
  return texts
}
