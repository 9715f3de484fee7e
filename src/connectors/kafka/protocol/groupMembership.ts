import { BrokerRefusal } from '../client/kafkaErrors.ts'
import type { KafkajsBroker, GroupMemberMetadata } from '../client/kafkajs.ts'
import { kafkaError } from './errorCodes.ts'
import { sendRaw } from './rawRequest.ts'

export interface JoinRequest {
  readonly groupId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Empty for a member that is new. */
  readonly memberId: string
  /** `group.instance.id`: takes the place of the member that has it; null for a dynamic member. */
  readonly instanceId: string | null
  readonly protocol: string
  readonly metadata: Buffer
}

interface Joined {
  readonly generation: number
  readonly leaderId: string
  readonly memberId: string
  /** All members, for the leader only. */
  readonly members: readonly GroupMemberMetadata[]
}

const api = { key: 11, version: 5, name: 'JoinGroup' }
const answerMarginMs = 5_000

/**
 * Joins a group; the broker answers when all members have joined. A new dynamic member is first given its id: `named` is
 * told it at once, because the group waits for whoever has one, and kafkajs' own keeps it to itself. A static member whose
 * instance id is known to a group at rest is answered at once, with the generation as it is and the leader as it was before:
 * it follows, and nobody else notices.
 */
export async function requestJoin(
  broker: KafkajsBroker,
  join: JoinRequest,
  named: (memberId: string) => void,
): Promise<Joined> {
  const { error, ...joined } = await send(broker, join)
  if (error === kafkaError.memberIdRequired && join.memberId === '') {
    named(joined.memberId)
    return requestJoin(broker, { ...join, memberId: joined.memberId }, named)
  }
  if (error !== kafkaError.none) throw new BrokerRefusal(error, `Joining group ${join.groupId}`)
  return joined
}

function send(broker: KafkajsBroker, join: JoinRequest): Promise<Joined & { readonly error: number }> {
  return sendRaw(
    broker,
    api,
    (writer) => {
      writer.string(join.groupId).int32(join.sessionTimeoutMs).int32(join.rebalanceTimeoutMs)
      writer.string(join.memberId).string(join.instanceId).string('consumer')
      writer.int32(1).string(join.protocol).bytes(join.metadata)
    },
    (reader) => {
      reader.int32()
      const error = reader.int16()
      const generation = reader.int32()
      reader.nullableString()
      const leaderId = reader.string()
      const memberId = reader.string()
      const members = reader.array(() => {
        const id = reader.string()
        reader.nullableString()
        return { memberId: id, memberMetadata: reader.bytes() }
      })
      return { error, generation, leaderId, memberId, members }
    },
    { timeoutMs: join.rebalanceTimeoutMs + answerMarginMs },
  )
}

/** Who asks: kafkajs' own requests do not carry the instance id, and the broker then takes a static member for another one. */
export interface GroupIdentity {
  readonly groupId: string
  /** Empty for a static member that was not told its id. */
  readonly memberId: string
  /** `group.instance.id`; null for a dynamic member. */
  readonly instanceId: string | null
}

const syncApi = { key: 14, version: 3, name: 'SyncGroup' }
const heartbeatApi = { key: 12, version: 3, name: 'Heartbeat' }
const leaveApi = { key: 13, version: 3, name: 'LeaveGroup' }

/** Hands the leader's assignments in, and resolves with this member's own; the broker answers when the leader has. */
export async function requestSync(
  broker: KafkajsBroker,
  { groupId, memberId, instanceId }: GroupIdentity,
  generation: number,
  assignments: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[],
): Promise<Buffer> {
  const { error, assignment } = await sendRaw(
    broker,
    syncApi,
    (writer) => {
      writer.string(groupId).int32(generation).string(memberId).string(instanceId)
      writer.array(assignments, (share) => writer.string(share.memberId).bytes(share.memberAssignment))
    },
    (reader) => {
      reader.int32()
      return { error: reader.int16(), assignment: Buffer.from(reader.bytes()) }
    },
  )
  if (error !== kafkaError.none) throw new BrokerRefusal(error, `Syncing with group ${groupId}`)
  return assignment
}

export async function requestHeartbeat(
  broker: KafkajsBroker,
  { groupId, memberId, instanceId }: GroupIdentity,
  generation: number,
): Promise<void> {
  const error = await sendRaw(
    broker,
    heartbeatApi,
    (writer) => {
      writer.string(groupId).int32(generation).string(memberId).string(instanceId)
    },
    (reader) => {
      reader.int32()
      return reader.int16()
    },
  )
  if (error !== kafkaError.none) throw new BrokerRefusal(error, `A heartbeat in group ${groupId}`)
}

/** Leaves a group for good: its tasks go to the others at once, those of a static member too. */
export async function requestLeave(
  broker: KafkajsBroker,
  { groupId, memberId, instanceId }: GroupIdentity,
): Promise<void> {
  const errors = await sendRaw(
    broker,
    leaveApi,
    (writer) => {
      writer.string(groupId).int32(1).string(memberId).string(instanceId)
    },
    (reader) => {
      reader.int32()
      const error = reader.int16()
      const members = reader.array(() => {
        reader.string()
        reader.nullableString()
        return reader.int16()
      })
      return [error, ...members]
    },
  )
  const refused = errors.find((error) => error !== kafkaError.none)
  if (refused !== undefined) throw new BrokerRefusal(refused, `Leaving group ${groupId}`)
}
