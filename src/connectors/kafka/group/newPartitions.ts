import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal } from '../client/kafkaErrors.ts'
import { readRange } from '../read/partitionOffsets.ts'
import { kafkaError } from '../protocol/errorCodes.ts'

/**
 * Resolves when a topic that was just made or has grown has that many partitions, each with a leader that knows it: brokers
 * tell of a new leader some ms before it takes itself for one.
 */
export async function untilLed(cluster: KafkaCluster, topic: string, partitions: number): Promise<void> {
  const count = await cluster.retry(
    `Waiting for the leaders of ${topic}`,
    async () => {
      const { topics } = await cluster.metadata([topic])
      const found = topics[0]?.partitions ?? []
      const led = found.filter(({ leader }) => leader !== null).length
      if (led >= partitions && led === found.length) return led
      throw new BrokerRefusal(
        kafkaError.leaderNotAvailable,
        `${String(led)} of ${String(partitions)} partitions have a leader`,
      )
    },
    () => Promise.resolve(true),
  )
  await Promise.all(Array.from({ length: count }, (_, partition) => readRange(cluster, topic, partition)))
}
