import { TidemarkError } from './errors.ts'
import { isStoredPosition, type StoredPosition } from './ports/position.ts'
import { isCount, isObject, parseStored } from './storedJson.ts'
import type { Lineage } from './ports/task.ts'

/** What `--reset-offsets` was resolved to, once, by the process that was asked. */
export interface ResetRequest {
  /** Random, one per reset. */
  readonly id: string
  /** The start mode as it was given, for people. */
  readonly mode: string
  /** Where each partition begins, by topic and partition number. What is not listed begins at earliest. */
  readonly positions: ReadonlyMap<string, readonly StoredPosition[]>
  /** Ids of the topics that are listed, where the log gives them some: what has their names later is another topic. */
  readonly topicIds: ReadonlyMap<string, string>
  /** When it was asked for, ms since 1970. */
  readonly atMs: number
  /** The consumer group that the job's name belongs to from then on. */
  readonly groupId: string
}

/**
 * The act of a whole job that its tasks obey, each at its next recovery: a task of an older generation begins anew at the
 * positions of the request, in this lineage and generation, with empty state. One record a job; a later reset replaces it.
 */
export interface ControlRecord extends Lineage {
  readonly version: 1
  readonly request: ResetRequest
}

/** Compact JSON. */
export function encodeControlRecord({ version, lineage, generation, request }: ControlRecord): Buffer {
  const { id, mode, positions, topicIds, atMs, groupId } = request
  return Buffer.from(
    JSON.stringify({
      version,
      lineage,
      generation,
      request: {
        id,
        mode,
        positions: Object.fromEntries(positions),
        topicIds: Object.fromEntries(topicIds),
        atMs,
        groupId,
      },
    }),
  )
}

/** @throws `corrupt-store` for bytes that `encodeControlRecord` did not write. `place` says where they stand. */
export function decodeControlRecord(bytes: Buffer, place: string): ControlRecord {
  const stored = parseStored(bytes)
  if (isObject(stored) && stored['version'] === 1 && isObject(stored['request'])) {
    const { lineage, generation, request } = stored
    const { id, mode, positions, topicIds, atMs, groupId } = request
    if (
      typeof lineage === 'string' &&
      isCount(generation) &&
      typeof id === 'string' &&
      typeof mode === 'string' &&
      isPositions(positions) &&
      isIds(topicIds) &&
      typeof atMs === 'number' &&
      typeof groupId === 'string'
    ) {
      const lists = new Map(Object.entries(positions))
      const ids = new Map(Object.entries(topicIds))
      return { version: 1, lineage, generation, request: { id, mode, positions: lists, topicIds: ids, atMs, groupId } }
    }
  }
  throw new TidemarkError(
    'corrupt-store',
    `The control record in ${place} is not what Tidemark wrote. Does something else write there? Stop the job, remove the record, and ask for the reset again with --reset-offsets <mode>`,
  )
}

function isPositions(value: unknown): value is Readonly<Record<string, readonly StoredPosition[]>> {
  return isObject(value) && Object.values(value).every((list) => Array.isArray(list) && list.every(isStoredPosition))
}

function isIds(value: unknown): value is Readonly<Record<string, string>> {
  return isObject(value) && Object.values(value).every((id) => typeof id === 'string')
}
