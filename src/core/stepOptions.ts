import type { OperatorContext, SideOutput } from './context.ts'
import { DeadLetter } from './deadLetter.ts'
import { atPosition, type TidemarkError } from './errors.ts'
import type { StreamRecord } from './record.ts'

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

/** Says that one record is bad: it becomes a dead letter, or this throws. */
export type RefuseRecord = (error: TidemarkError, record: StreamRecord<unknown>) => void

/**
 * The one way in which operators refuse a record: to `onError` where the job gave one, counted as the tally `dead-letters`
 * with the error's code; else the error is thrown with the record's position, which fails the epoch.
 */
export function refuseTo(
  context: Pick<OperatorContext, 'epoch' | 'tally'>,
  onError: SideOutput<DeadLetter> | undefined,
): RefuseRecord {
  if (onError === undefined) {
    return (error, record) => {
      throw atPosition(error, record)
    }
  }
  return (error, record) => {
    context.tally('dead-letters', [error.code])
    onError.emit(new DeadLetter(error, record, context.epoch))
  }
}
