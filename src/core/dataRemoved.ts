import { TidemarkError } from './errors.ts'
import { formatPosition, type RecordPosition } from './record.ts'
import type { OffsetRange } from './ports/taskLog.ts'

/** The next record to read is outside of what its partition holds. */
export function dataRemoved(position: RecordPosition, { start, end }: OffsetRange): TidemarkError {
  const { topic, partition, offset } = position
  const reason =
    offset < start ? 'retention removed records before they were read' : 'the topic was replaced or truncated'
  return new TidemarkError(
    'data-removed',
    `The next record to read is ${formatPosition(position)}, and the topic now holds ${String(start)} to ${String(end)}: ${reason}. Accept the loss with --reset-offsets earliest, and give the topic a longer retention`,
    { details: { topic, partition, offset, start, end } },
  )
}
