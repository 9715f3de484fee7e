import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { coordinatorMoved, kafkaError } from '../protocol/errorCodes.ts'
import { requestOffsets, type FetchedOffset, type OffsetFetchRequest } from '../protocol/offsetFetch.ts'
import type { Place } from '../write/recordPlacement.ts'

/**
 * Committed offsets of some partitions; one without is left out. What a transaction that is not yet decided would change is
 * waited for, as long as a coordinator that moves is: a read that passed it by would be one of the commit before. Not
 * `stable`, for who only looks: the commit before. A dead owner's transaction is decided by the fence, or by its timeout.
 */
export function readCommittedOffsets(
  cluster: KafkaCluster,
  groupId: string,
  places: readonly Place[],
  { stable = true }: { readonly stable?: boolean } = {},
): Promise<readonly FetchedOffset[]> {
  return read(cluster, { groupId, places, stable })
}

/** Everything that a group has committed, as of now. */
export function readGroupOffsets(cluster: KafkaCluster, groupId: string): Promise<readonly FetchedOffset[]> {
  return read(cluster, { groupId, places: null, stable: false })
}

async function read(cluster: KafkaCluster, request: OffsetFetchRequest): Promise<readonly FetchedOffset[]> {
  const { groupId } = request
  const offsets = await cluster.retry(
    'Reading the committed offsets',
    async () => requestOffsets(await cluster.pool.broker(await cluster.coordinatorOf('group', groupId)), request),
    (code) => {
      if (code === kafkaError.unstableOffsetCommit) return Promise.resolve(true)
      cluster.forgetCoordinator('group', groupId)
      return Promise.resolve(code === null || coordinatorMoved.has(code))
    },
  )
  return offsets.filter(({ offset }) => offset >= 0)
}
