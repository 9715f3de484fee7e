import type { SideOutput } from './context.ts'
import type { DeadLetter } from './deadLetter.ts'

/** Options that operators share. */
export interface StepOptions {
  /** Shown in the plan, metrics and logs. Default: the operator's name. */
  readonly name?: string
  /** Where bad records go. Absent: the first one fails the epoch. */
  readonly onError?: SideOutput<DeadLetter>
}

/** The shared options out of an operator's own, without those that are absent: what a `StepSpec` takes of them. */
export function stepOptions({ name, onError }: StepOptions): StepOptions {
  return { ...(name === undefined ? {} : { name }), ...(onError === undefined ? {} : { onError }) }
}
