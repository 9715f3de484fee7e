import { TidemarkError } from '../core/errors.ts'
import { formatPosition } from '../core/record.ts'
import type { StartMode } from '../core/startMode.ts'
import type { OffsetRange, TaskLog } from '../core/taskLog.ts'

/**
 * The offset at which a start mode begins in a topic's partition.
 *
 * @throws TidemarkError `invalid-setting` for an offset that the topic does not hold, `no-committed-offset` where only
 *   committed offsets would do.
 */
export async function startPosition(
  log: Pick<TaskLog, 'partition' | 'range' | 'offsetAtTime'>,
  topic: string,
  mode: StartMode,
): Promise<number> {
  const { start, end } = await log.range(topic)
  switch (mode.kind) {
    case 'earliest':
      return start
    case 'latest':
      return end
    case 'timestamp':
      return log.offsetAtTime(topic, mode.timestampMs)
    case 'offsets': {
      const offset = mode.offsets.get(log.partition) ?? start
      if (offset >= start && offset <= end) return offset
      throw new TidemarkError(
        'invalid-setting',
        `The start offset ${formatPosition({ topic, partition: log.partition, offset })} is outside of what the topic holds, ${String(start)} to ${String(end)}. Example: offsets:${String(log.partition)}=${String(start)}`,
        { details: { topic, partition: log.partition, offset } },
      )
    }
    case 'committed':
      throw new TidemarkError(
        'no-committed-offset',
        `The start mode is committed, and the consumer group has no committed offset for ${topic}, partition ${String(log.partition)}. Choose what to do then: earliest or latest, for example startFrom: committedOffsets('earliest')`,
        { details: { topic, partition: log.partition } },
      )
  }
}

/** @throws TidemarkError `data-removed` for a next offset that the topic does not hold any more, or not yet. */
export function checkStillThere(
  position: { readonly topic: string; readonly partition: number; readonly offset: number },
  { start, end }: OffsetRange,
): void {
  const { topic, partition, offset } = position
  if (offset >= start && offset <= end) return
  throw new TidemarkError(
    'data-removed',
    `The next record to read is ${formatPosition(position)}, and the topic now holds ${String(start)} to ${String(end)}: ${
      offset < start ? 'retention removed records before they were read' : 'the topic was replaced or truncated'
    }. Accept the loss with --reset-offsets earliest, and give the topic a longer retention`,
    { details: { topic, partition, offset, start, end } },
  )
}
