import type { OperatorContext, SideOutput } from './context.ts'
import { DeadLetter } from './deadLetter.ts'
import { TidemarkError } from './errors.ts'
import { formatPosition, type RecordPosition, type StreamRecord } from './record.ts'

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

/** The error of one record, which its message and its details name. */
export function atPosition(error: TidemarkError, record: RecordPosition): TidemarkError {
  const { topic, partition, offset } = record
  return new TidemarkError(error.code, `${formatPosition(record)}: ${error.message}`, {
    retriable: error.retriable,
    cause: error,
    details: { ...error.details, topic, partition, offset },
  })
}
