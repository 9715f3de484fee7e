import type { OffsetRange } from './ports/changelog.ts'
import type { Position, PositionFormat, PositionRange } from './ports/position.ts'
import { isCount } from './storedJson.ts'

/** The position that is an offset, in logs that count their records: Kafka, the embedded log, the one in memory. */
export function offsetPosition(offset: number): Position {
  return offset as unknown as Position
}

/** Undoes `offsetPosition`. */
export function offsetOf(position: Position): number {
  return position as unknown as number
}

export function offsetPositions({ start, end }: OffsetRange): PositionRange {
  return { start: offsetPosition(start), end: offsetPosition(end) }
}

/** Offsets from the one to the other, 0 where that stands before: markers and gaps count as records do. */
export function offsetsBetween(from: Position, to: Position): number {
  return Math.max(0, offsetOf(to) - offsetOf(from))
}

export const offsetFormat: PositionFormat = {
  compare: (a, b) => offsetOf(a) - offsetOf(b),
  write: offsetOf,
  read: (stored) => (isCount(stored) ? offsetPosition(stored) : null),
  show: (position) => String(offsetOf(position)),
}
