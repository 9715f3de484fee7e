import { decodeSubscription } from './groupProtocol.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'

/** One live process in a consumer group. */
export interface GroupMemberDescription {
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
  const { groups } = await cluster.atCoordinator(
    'group',
    groupId,
    `Describing consumer group ${groupId}`,
    (coordinator) => coordinator.describeGroups({ groupIds: [groupId] }),
  )
  const found = groups.find((group) => group.groupId === groupId)
  if (found === undefined) return { state: 'Dead', members: [] }
  const members = found.members.map(({ clientId, clientHost, memberMetadata }) => {
    const data = decodeSubscription(memberMetadata)
    return { clientId, host: clientHost, job: data?.job ?? null, address: data?.address ?? null }
  })
  return { state: found.state, members }
}
