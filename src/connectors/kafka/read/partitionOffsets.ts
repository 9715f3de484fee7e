import type { OffsetRange } from '../../../core/ports/changelog.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal } from '../client/kafkaErrors.ts'
import { kafkaError } from '../protocol/errorCodes.ts'

const readUncommitted = 0
const readCommitted = 1
const earliest = -2
const latest = -1

/** The first offset that is kept, and the last stable offset: up to there everything is committed or aborted. */
export async function readRange(cluster: KafkaCluster, topic: string, partition: number): Promise<OffsetRange> {
  const [start, end] = await Promise.all([
    listOffset(cluster, { topic, partition, timestamp: earliest, isolationLevel: readUncommitted }),
    listOffset(cluster, { topic, partition, timestamp: latest, isolationLevel: readCommitted }),
  ])
  return { start, end }
}

/** Where the next record will stand: records that are not decided yet included. */
export function readWrittenEnd(cluster: KafkaCluster, topic: string, partition: number): Promise<number> {
  return listOffset(cluster, { topic, partition, timestamp: latest, isolationLevel: readUncommitted })
}

/** Offsets between the last stable one and the high watermark: what stands behind transactions that are not decided. */
export async function readUndecided(cluster: KafkaCluster, topic: string, partition: number): Promise<number> {
  const [{ end }, written] = await Promise.all([
    readRange(cluster, topic, partition),
    readWrittenEnd(cluster, topic, partition),
  ])
  return Math.max(0, written - end)
}

/** The first offset whose timestamp is at least that; null when there is none. */
export async function readOffsetAtTime(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  timestampMs: number,
): Promise<number | null> {
  // Negative timestamps have meanings of their own there.
  const timestamp = Math.max(0, Math.floor(timestampMs))
  const offset = await listOffset(cluster, { topic, partition, timestamp, isolationLevel: readCommitted })
  return offset < 0 ? null : offset
}

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

interface OffsetQuery {
  readonly topic: string
  readonly partition: number
  readonly timestamp: number
  readonly isolationLevel: 0 | 1
}

function listOffset(
  cluster: KafkaCluster,
  { topic, partition, timestamp, isolationLevel }: OffsetQuery,
): Promise<number> {
  const what = `Reading the offsets of ${topic}, partition ${String(partition)}`
  return cluster.atLeader(topic, partition, what, async (leader) => {
    const { responses } = await leader.listOffsets({
      replicaId: -1,
      isolationLevel,
      topics: [{ topic, partitions: [{ partition, timestamp }] }],
    })
    return Number(responses[0]?.partitions[0]?.offset ?? -1)
  })
}
