import { hash } from 'node:crypto'
import * as t from 'io-ts'
import { isRight } from 'fp-ts/lib/Either.js'
import { RequestWriter } from '../protocol/requestWriter.ts'
import { ResponseReader } from '../protocol/responseReader.ts'

/** The assigner's name: members of a group must share one, so that no other kind of consumer gets in. */
export const protocolName = 'tidemark'

const version = 0

/** What each member tells the leader when it joins, beside the topics. */
const memberData = t.readonly(
  t.exact(
    t.intersection([
      t.type({
        v: t.literal(1),
        /** The job and its source group: two jobs cannot share a consumer group. */
        job: t.string,
        group: t.string,
        /** Where the member answers questions about itself; null: nowhere. */
        address: t.union([t.string, t.null]),
        generation: t.number,
        running: t.readonlyArray(t.number),
        /** Pairs of task and changelog offset. */
        stores: t.readonlyArray(t.tuple([t.number, t.number])),
      }),
      // What came later: members of older versions do not say it.
      t.partial({
        /** What the transactional ids of its tasks begin with: two jobs cannot share those either. */
        prefix: t.string,
        /** Host and process id: the broker goes on telling those of the first process with an instance id. */
        process: t.string,
      }),
    ]),
  ),
)
export type MemberData = t.TypeOf<typeof memberData>

/** What the leader tells each member, beside its partitions. */
const assignmentData = t.readonly(
  t.exact(
    t.intersection([
      t.type({
        v: t.literal(1),
        tasks: t.readonlyArray(t.number),
        /** Control addresses of all members. */
        addresses: t.readonlyArray(t.string),
        /** The job that has the group; a member of another one gets nothing. */
        job: t.string,
        group: t.string,
      }),
      t.partial({
        /** Stands for the inputs that were dealt out (`inputsMark`); a leader of version 0.1.0 does not say. */
        dealt: t.string,
      }),
    ]),
  ),
)
export type AssignmentData = t.TypeOf<typeof assignmentData>

/** The same text for the same topics with the same partition counts, in a few characters. */
export function inputsMark(partitionCounts: ReadonlyMap<string, number>): string {
  const sorted = [...partitionCounts].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return hash('sha256', JSON.stringify(sorted), 'hex').slice(0, 16)
}

/** Kafka's ConsumerProtocolSubscription, so that its tools can read it. */
export function encodeSubscription(topics: readonly string[], data: MemberData): Buffer {
  const writer = new RequestWriter().int16(version)
  writer.array(topics, (topic) => writer.string(topic))
  return writer.bytes(Buffer.from(JSON.stringify(data))).written
}

/** Null for a member that is not one of ours. */
export function decodeSubscription(bytes: Buffer): MemberData | null {
  try {
    const reader = new ResponseReader(bytes, 'A subscription')
    reader.int16()
    reader.array(() => reader.string())
    return parse(memberData, reader.bytes())
  } catch {
    return null
  }
}

/** Kafka's ConsumerProtocolAssignment. `partitionCounts`: a task has its partition of every topic that reaches so far. */
export function encodeAssignment(partitionCounts: ReadonlyMap<string, number>, data: AssignmentData): Buffer {
  const topics = [...partitionCounts]
    .map(([topic, count]) => ({ topic, partitions: data.tasks.filter((task) => task < count) }))
    .filter(({ partitions }) => partitions.length > 0)
  const writer = new RequestWriter().int16(version)
  writer.array(topics, ({ topic, partitions }) => {
    writer.string(topic).array(partitions, (partition) => writer.int32(partition))
  })
  return writer.bytes(Buffer.from(JSON.stringify(data))).written
}

/** A member's share, with the topics that have each of its tasks' partition. */
export interface Assignment extends AssignmentData {
  readonly topics: ReadonlyMap<number, readonly string[]>
}

/** Null for an assignment that is empty or was not made by one of ours. */
export function decodeAssignment(bytes: Buffer): Assignment | null {
  if (bytes.length === 0) return null
  try {
    const reader = new ResponseReader(bytes, 'An assignment')
    reader.int16()
    const shares = reader.array(() => ({ topic: reader.string(), partitions: reader.array(() => reader.int32()) }))
    const data = parse(assignmentData, reader.bytes())
    if (data === null) return null
    const topicsOf = (task: number): readonly string[] =>
      shares.flatMap(({ topic, partitions }) => (partitions.includes(task) ? [topic] : []))
    return { ...data, topics: new Map(data.tasks.map((task) => [task, topicsOf(task)])) }
  } catch {
    return null
  }
}

function parse<A>(codec: t.Type<A>, bytes: Buffer): A | null {
  const decoded = codec.decode(JSON.parse(bytes.toString('utf8')))
  return isRight(decoded) ? decoded.right : null
}
