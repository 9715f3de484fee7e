import type { KafkaCluster } from './kafkaCluster.ts'
import { BrokerRefusal } from './kafkaErrors.ts'
import { kafkaError } from './protocol/errorCodes.ts'

/** Resolves when a topic that was just made or has grown has that many partitions, each with a leader: it takes some ms. */
export async function untilLed(cluster: KafkaCluster, topic: string, partitions: number): Promise<void> {
  await cluster.retry(
    `Waiting for the leaders of ${topic}`,
    async () => {
      const { topics } = await cluster.metadata([topic])
      const found = topics[0]?.partitions ?? []
      const led = found.filter(({ leader }) => leader !== null).length
      if (led >= partitions && led === found.length) return
      throw new BrokerRefusal(
        kafkaError.leaderNotAvailable,
        `${String(led)} of ${String(partitions)} partitions have a leader`,
      )
    },
    () => Promise.resolve(true),
  )
}
