import { offsetPosition } from '../../src/core/offsetPosition.ts'
import type { Positions } from '../../src/core/ports/position.ts'

/** Positions that are offsets, by topic. */
export function at(offsets: Readonly<Record<string, number>>): Positions {
  return new Map(Object.entries(offsets).map(([topic, offset]) => [topic, offsetPosition(offset)]))
}
