import * as t from 'io-ts'
import { storedCount } from '../storedJson.ts'

declare const opaque: unique symbol

/**
 * Where reading an input goes on: a Kafka offset, an LSN, a GTID set, a token range. Nothing but the input's own log looks
 * into it; the runtime keeps it, and compares, stores and shows it by the log's `PositionFormat`.
 */
export interface Position {
  readonly [opaque]: never
}

/** Where reading each input of a task goes on, by topic. */
export type Positions = ReadonlyMap<string, Position>

/** From the first position that is kept to the end of what can be read (exclusive). */
export interface PositionRange {
  readonly start: Position
  readonly end: Position
}

/** A position as JSON stores it: a count from 0 on, or a text. */
export type StoredPosition = number | string

export const positionShape: t.Type<StoredPosition> = t.union([storedCount, t.string])

/** How a log's positions are compared, stored and shown. All inputs of a task have the same. */
export interface PositionFormat {
  /** Below 0 where `a` stands before `b`, 0 where they are the same. */
  readonly compare: (a: Position, b: Position) => number
  readonly write: (position: Position) => StoredPosition
  /** Undoes `write`; null for what it does not make. */
  readonly read: (stored: StoredPosition) => Position | null
  /** For people: in errors, logs and status. */
  readonly show: (position: Position) => string
}
