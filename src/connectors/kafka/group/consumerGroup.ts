import { decodeSubscription } from './groupProtocol.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { requestGroup } from '../protocol/describeGroups.ts'

/** A member of a consumer group as doctors and checks see it. */
export interface GroupMemberFacts {
  /** Of ours: the job; null: another kind of consumer, or one that the group has not taken in yet. */
  readonly job: string | null
  readonly clientId: string
  readonly clientHost: string
  /** `group.instance.id`; null for a dynamic member. */
  readonly instanceId: string | null
  /** Host and process id by its own words; null when it does not say. */
  readonly process: string | null
}

export interface ConsumerGroupFacts {
  /** `Stable`, `Empty`, `Dead` (there is none), … */
  readonly state: string
  readonly members: readonly GroupMemberFacts[]
}

/** Who is in a consumer group now. Rejects with `system-unreachable`. */
export async function describeConsumerGroup(cluster: KafkaCluster, groupId: string): Promise<ConsumerGroupFacts> {
  const { state, members } = await cluster.atCoordinator(
    'group',
    groupId,
    `Looking consumer group ${groupId} up`,
    (coordinator) => requestGroup(coordinator, groupId),
  )
  return {
    state,
    members: members.map(({ metadata, clientId, clientHost, instanceId }) => {
      const data = decodeSubscription(metadata)
      return { job: data?.job ?? null, clientId, clientHost, instanceId, process: data?.process ?? null }
    }),
  }
}
