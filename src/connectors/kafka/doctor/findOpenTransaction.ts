import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { readRange, readUndecided } from '../read/partitionOffsets.ts'
import {
  requestOpenProducers,
  requestTransactionStart,
  requestTransactionsOf,
  type OpenProducer,
} from '../protocol/transactions.ts'

/** What holds the readers of a partition back. */
export interface OpenTransaction {
  readonly topic: string
  readonly partition: number
  /** Offsets that cannot be read before it ends. */
  readonly waiting: number
  readonly firstOffset: number
  /** Null where the brokers do not tell. */
  readonly producerId: bigint | null
  readonly transactionalId: string | null
  /** When it was begun, or has last written, ms since 1970. */
  readonly sinceMs: number | null
}

/** The transaction that holds a partition's readers back; null: none does. */
export async function findOpenTransaction(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
): Promise<OpenTransaction | null> {
  const waiting = await readUndecided(cluster, topic, partition)
  if (waiting === 0) return null
  const { end } = await readRange(cluster, topic, partition)
  const unknown = {
    topic,
    partition,
    waiting,
    firstOffset: end,
    producerId: null,
    transactionalId: null,
    sinceMs: null,
  }
  let first: OpenProducer | undefined
  try {
    const what = `Looking for open transactions of ${topic}`
    const producers = await cluster.atLeader(topic, partition, what, (leader) =>
      requestOpenProducers(leader, topic, partition),
    )
    first = producers.toSorted((a, b) => a.firstOffset - b.firstOffset)[0]
  } catch {
    // Not everybody may ask for that; that records wait is true all the same.
  }
  if (first === undefined) return unknown
  const { producerId, firstOffset, lastWriteMs } = first
  const transactionalId = await transactionalIdOf(cluster, producerId)
  const startMs = transactionalId === null ? null : await startOf(cluster, transactionalId)
  return { ...unknown, firstOffset, producerId, transactionalId, sinceMs: startMs ?? lastWriteMs }
}

/** Any broker may coordinate it; one that does not answer, or may not, leaves it unknown. */
async function transactionalIdOf(cluster: KafkaCluster, producerId: bigint): Promise<string | null> {
  const answers = await Promise.allSettled(
    cluster.nodeIds.map(async (nodeId) => requestTransactionsOf(await cluster.pool.broker(nodeId), [producerId])),
  )
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  return found.find((transaction) => transaction.producerId === producerId)?.transactionalId ?? null
}

async function startOf(cluster: KafkaCluster, transactionalId: string): Promise<number | null> {
  try {
    return await cluster.atCoordinator('transaction', transactionalId, 'Describing a transaction', (coordinator) =>
      requestTransactionStart(coordinator, transactionalId),
    )
  } catch {
    return null
  }
}
