/** One thing that a doctor has looked at. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail'
  readonly what: string
  /** What to do about it; null where nothing is to be done, or where `what` says it. */
  readonly fix: string | null
}

export function fine(what: string): Finding {
  return { level: 'ok', what, fix: null }
}

/** The job runs, and something may go wrong. */
export function risk(what: string, fix: string): Finding {
  return { level: 'warn', what, fix }
}

/** The job does not run, or not rightly. */
export function fault(what: string, fix: string): Finding {
  return { level: 'fail', what, fix }
}
