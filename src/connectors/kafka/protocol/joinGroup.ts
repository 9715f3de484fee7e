import type { GroupMemberMetadata, KafkajsBroker } from '../client/kafkajs.ts'
import { BrokerRefusal } from '../client/kafkaErrors.ts'
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

export interface Joined {
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
