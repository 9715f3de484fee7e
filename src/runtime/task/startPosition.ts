import { dataRemoved } from '../../core/topicErrors.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { TaskInputs } from '../../core/ports/inputs.ts'
import type { TaskView } from '../../core/ports/jobLog.ts'
import type { Position, PositionFormat, StoredPosition } from '../../core/ports/position.ts'
import type { StartMode } from '../../core/startMode.ts'

/**
 * Where a start mode begins in a topic's partition.
 *
 * @throws TidemarkError `invalid-setting` for an offset that the topic does not hold, `no-committed-offset` where only
 *   committed offsets would do.
 */
export async function startPosition(
  { partition, inputs }: Pick<TaskView, 'partition' | 'inputs'>,
  topic: string,
  mode: StartMode,
): Promise<Position> {
  const { start, end } = await inputs.range(topic)
  switch (mode.kind) {
    case 'earliest':
      return start
    case 'latest':
      return end
    case 'timestamp':
      return inputs.positionAtTime(topic, mode.timestampMs)
    case 'offsets': {
      const offset = mode.offsets.get(partition)
      if (offset === undefined) return start
      const { compare, read, show } = inputs.format
      const position = read(offset)
      if (position !== null && compare(position, start) >= 0 && compare(position, end) <= 0) return position
      throw new TidemarkError(
        'invalid-setting',
        `The start offset ${topic} ${String(partition)}@${String(offset)} is outside of what the topic holds, ${show(start)} to ${show(end)}. Example: offsets:${String(partition)}=${show(start)}`,
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

/**
 * The position where a task goes on in a topic; null begins with what is there.
 *
 * @throws TidemarkError `data-removed` for one that the topic does not hold any more, or not yet.
 */
export async function stillThere(
  { partition, inputs }: { readonly partition: number; readonly inputs: Pick<TaskInputs, 'format' | 'range'> },
  topic: string,
  position: Position | null,
): Promise<Position> {
  const range = await inputs.range(topic)
  if (position === null) return range.start
  const { compare } = inputs.format
  if (compare(position, range.start) >= 0 && compare(position, range.end) <= 0) return position
  throw dataRemoved({ topic, partition }, position, range, inputs.format)
}

/** @throws TidemarkError `corrupt-store` for a stored position that the topic's log does not write. */
export function readPosition(format: PositionFormat, topic: string, stored: StoredPosition): Position {
  const position = format.read(stored)
  if (position !== null) return position
  throw new TidemarkError('corrupt-store', `The stored position ${String(stored)} of ${topic} is none of its log`)
}
