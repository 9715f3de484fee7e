import type { KafkaCluster } from './kafkaCluster.ts'
import type { Place } from './taskProducer.ts'

/** What a consumer group has committed of one partition, with the text beside it (empty: none). */
export interface GroupOffset extends Place {
  readonly offset: number
  readonly metadata: string
}

/** Committed offsets of some partitions; one without is left out. */
export async function readCommittedOffsets(
  cluster: KafkaCluster,
  groupId: string,
  places: readonly Place[],
): Promise<readonly GroupOffset[]> {
  const topics = places.map(({ topic, partition }) => ({ topic, partitions: [{ partition }] }))
  const { responses } = await cluster.atCoordinator('group', groupId, 'Reading the committed offsets', (coordinator) =>
    coordinator.offsetFetch({ groupId, topics }),
  )
  return responses.flatMap(({ topic, partitions }) =>
    partitions.flatMap(({ partition, offset, metadata }) =>
      Number(offset) < 0 ? [] : [{ topic, partition, offset: Number(offset), metadata: metadata ?? '' }],
    ),
  )
}

/** Everything that a group has committed. */
export function readGroupOffsets(cluster: KafkaCluster, groupId: string): Promise<readonly GroupOffset[]> {
  // No topics means all of them.
  return readCommittedOffsets(cluster, groupId, [])
}
