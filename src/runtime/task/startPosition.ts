import { dataRemoved } from '../../core/topicErrors.ts'
import { TidemarkError } from '../../core/errors.ts'
import { formatPosition, type RecordPosition } from '../../core/record.ts'
import type { StartMode } from '../../core/startMode.ts'
import type { OffsetRange } from '../../core/ports/changelog.ts'
import type { TaskView } from '../../core/ports/jobLog.ts'

/**
 * The offset at which a start mode begins in a topic's partition.
 *
 * @throws TidemarkError `invalid-setting` for an offset that the topic does not hold, `no-committed-offset` where only
 *   committed offsets would do.
 */
export async function startPosition(
  { partition, inputs }: Pick<TaskView, 'partition' | 'inputs'>,
  topic: string,
  mode: StartMode,
): Promise<number> {
  const { start, end } = await inputs.range(topic)
  switch (mode.kind) {
    case 'earliest':
      return start
    case 'latest':
      return end
    case 'timestamp':
      return inputs.offsetAtTime(topic, mode.timestampMs)
    case 'offsets': {
      const offset = mode.offsets.get(partition) ?? start
      if (offset >= start && offset <= end) return offset
      throw new TidemarkError(
        'invalid-setting',
        `The start offset ${formatPosition({ topic, partition, offset })} is outside of what the topic holds, ${String(start)} to ${String(end)}. Example: offsets:${String(partition)}=${String(start)}`,
        { details: { topic, partition, offset } },
      )
    }
    case 'committed':
      throw new TidemarkError(
        'no-committed-offset',
        `The start mode is committed, and the consumer group has no committed offset for ${topic}, partition ${String(partition)}. Choose what to do then: earliest or latest, for example startFrom: committedOffsets('earliest')`,
        { details: { topic, partition } },
      )
  }
}

/** @throws TidemarkError `data-removed` for a next offset that the topic does not hold any more, or not yet. */
export function checkStillThere(position: RecordPosition, range: OffsetRange): void {
  if (position.offset < range.start || position.offset > range.end) throw dataRemoved(position, range)
}
