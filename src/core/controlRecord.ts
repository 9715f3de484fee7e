import * as t from 'io-ts'
import { TidemarkError } from './errors.ts'
import { positionShape, type StoredPosition } from './ports/position.ts'
import { parseStored, storedCount } from './storedJson.ts'
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

const storedShape = t.type({
  version: t.literal(1),
  lineage: t.string,
  generation: storedCount,
  request: t.type({
    id: t.string,
    mode: t.string,
    positions: t.record(t.string, t.array(positionShape)),
    topicIds: t.record(t.string, t.string),
    atMs: t.number,
    groupId: t.string,
  }),
})

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
  if (storedShape.is(stored)) {
    const { version, lineage, generation, request } = stored
    const { id, mode, atMs, groupId } = request
    const positions = new Map(Object.entries(request.positions))
    const topicIds = new Map(Object.entries(request.topicIds))
    return { version, lineage, generation, request: { id, mode, positions, topicIds, atMs, groupId } }
  }
  throw new TidemarkError(
    'corrupt-store',
    `The control record in ${place} is not what Tidemark wrote. Does something else write there? Stop the job, remove the record, and ask for the reset again with --reset-offsets <mode>`,
  )
}
