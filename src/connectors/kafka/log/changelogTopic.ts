import { TidemarkError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal } from '../client/kafkaErrors.ts'
import { untilLed } from '../group/newPartitions.ts'
import { requestCreateTopic } from '../protocol/createTopics.ts'
import { kafkaError } from '../protocol/errorCodes.ts'
import { readTopicConfigs } from '../client/topicDirectory.ts'

/** The largest state value, with its key; Kafka itself takes 1 MiB by default. */
const maxMessageBytes = 16 * 1024 * 1024

/** How long a deletion stays readable; local state older than half of it is restored in full. Kafka's default. */
const deleteRetentionMs = 86_400_000

/** A restore that takes longer may miss a deletion. */
const shortRetentionMs = 3_600_000

const createTimeoutMs = 10_000

/**
 * Makes the changelog topic, or checks the one that is there: it must be compacted, and have a partition for every task;
 * where it has fewer (a stateless group has grown) it is given more. Resolves with its `delete.retention.ms`. Rejects with
 * `invalid-plan` for a topic that is not one of ours.
 */
export async function ensureChangelogTopic(cluster: KafkaCluster, name: string, tasks: number): Promise<number> {
  const partitions = await changelogPartitions(cluster, name)
  if (partitions === null) {
    await create(cluster, name, tasks)
    return deleteRetentionMs
  }
  const configs = await readTopicConfigs(cluster, [name], ['cleanup.policy', 'delete.retention.ms'])
  const policy = configs.get(name)?.get('cleanup.policy') ?? ''
  if (policy !== 'compact') {
    throw new TidemarkError(
      'invalid-plan',
      `Topic ${name} is the job's changelog and has cleanup.policy=${policy}, so that state would be lost: set cleanup.policy=compact, or rename the job`,
      { details: { topic: name } },
    )
  }
  if (partitions < tasks) await grow(cluster, name, tasks)
  return Number(configs.get(name)?.get('delete.retention.ms') ?? deleteRetentionMs)
}

/** Warns of deletions that may be gone before everybody has read them. */
export function checkDeleteRetention(name: string, retentionMs: number, log: Logger): void {
  if (retentionMs >= shortRetentionMs) return
  log.warn(
    `Changelog ${name} keeps deletions for ${String(retentionMs)} ms: local state older than half of that is restored in full, and a restore that takes longer may bring deleted keys back. Set delete.retention.ms=${String(deleteRetentionMs)}`,
    { topic: name },
  )
}

/** How many it has; null: there is none. */
export async function changelogPartitions(cluster: KafkaCluster, name: string): Promise<number | null> {
  const { topics } = await cluster.metadata([name])
  const found = topics.find(({ topic }) => topic === name)
  if (found === undefined || found.error === kafkaError.unknownTopicOrPartition) return null
  return found.partitions.length
}

async function create(cluster: KafkaCluster, name: string, partitions: number): Promise<void> {
  const config = {
    'cleanup.policy': 'compact',
    'max.message.bytes': String(maxMessageBytes),
    'delete.retention.ms': String(deleteRetentionMs),
  }
  await cluster.retry(
    `Making changelog topic ${name}`,
    async () => {
      const { error, message } = await requestCreateTopic(
        await cluster.controller(),
        { name, partitions, config },
        createTimeoutMs,
      )
      // Another process of the job was faster.
      if (error !== kafkaError.none && error !== kafkaError.topicExists)
        throw new BrokerRefusal(error, 'Kafka refuses', message)
    },
    (code) => Promise.resolve(code === null),
  )
  await untilLed(cluster, name, partitions)
}

async function grow(cluster: KafkaCluster, name: string, count: number): Promise<void> {
  await cluster.retry(
    `Giving changelog topic ${name} more partitions`,
    async () => {
      if ((await changelogPartitions(cluster, name)) === count) return
      await (await cluster.controller()).createPartitions({ topicPartitions: [{ topic: name, count }] })
    },
    // Refused, because another process of the job was faster: then it is seen with the next try.
    () => Promise.resolve(true),
  )
  await untilLed(cluster, name, count)
}
