import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { coordinatorMoved, kafkaError } from '../protocol/errorCodes.ts'
import { requestOffsets, type FetchedOffset, type OffsetFetchRequest } from '../protocol/offsetFetch.ts'

/**
 * What a group has committed, of these places or of all; one without an offset is left out. `stable`: what a transaction that
 * is not yet decided would change is waited for, as long as a coordinator that moves is: a read that passed it by would be one
 * of the commit before. Else, for who only looks, that one: a dead owner's transaction is decided by the fence, or by its
 * timeout.
 */
export async function readGroupOffsets(
  cluster: KafkaCluster,
  groupId: string,
  { places, stable }: Omit<OffsetFetchRequest, 'groupId'> = { places: null, stable: false },
): Promise<readonly FetchedOffset[]> {
  const offsets = await cluster.retry(
    'Reading the committed offsets',
    async () => {
      const coordinator = await cluster.pool.broker(await cluster.coordinatorOf('group', groupId))
      return requestOffsets(coordinator, { groupId, places, stable })
    },
    (code) => {
      if (code === kafkaError.unstableOffsetCommit) return Promise.resolve(true)
      cluster.forgetCoordinator('group', groupId)
      return Promise.resolve(code === null || coordinatorMoved.has(code))
    },
  )
  return offsets.filter(({ offset }) => offset >= 0)
}
