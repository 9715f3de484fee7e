import type { KafkaCluster } from '../../../src/connectors/kafka/client/kafkaCluster.ts'
import { decodeSubscription } from '../../../src/connectors/kafka/group/groupProtocol.ts'
import { requestGroup } from '../../../src/connectors/kafka/protocol/describeGroups.ts'

/** One live process in a consumer group. */
interface GroupMemberDescription {
  readonly clientId: string
  readonly host: string
  /** The job it runs; null: it is no process of ours, or has not joined yet. */
  readonly job: string | null
  /** Where it answers questions about itself; null: nowhere. */
  readonly address: string | null
}

export interface GroupDescription {
  /** `Stable`, `PreparingRebalance`, `Empty`, `Dead` (there is no such group), … */
  readonly state: string
  readonly members: readonly GroupMemberDescription[]
}

/** A classic consumer group as its coordinator knows it: for a check that nobody else is in it, and for advice. */
export async function describeGroup(cluster: KafkaCluster, groupId: string): Promise<GroupDescription> {
  const { state, members } = await cluster.atCoordinator(
    'group',
    groupId,
    `Describing consumer group ${groupId}`,
    (coordinator) => requestGroup(coordinator, groupId),
  )
  return {
    state,
    members: members.map(({ clientId, clientHost, metadata }) => {
      const data = decodeSubscription(metadata)
      return { clientId, host: clientHost, job: data?.job ?? null, address: data?.address ?? null }
    }),
  }
}
