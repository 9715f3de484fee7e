/** Records that passed one source or sink. */
export interface StepCount {
  readonly step: string
  readonly records: number
}

/** What went in and out of one epoch attempt. */
export interface AttemptFlow {
  readonly sources: readonly StepCount[]
  readonly sinks: readonly StepCount[]
}
