import { describeConsumerGroup, type ConsumerGroupFacts } from '../group/consumerGroup.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { kafkaError } from '../protocol/errorCodes.ts'
import { readBrokerConfig, readTopicConfigs, type KafkaSettingTexts } from '../client/readConfigs.ts'
import { isKafka4 } from '../protocol/fetch.ts'

/** A topic as a doctor sees it. */
export interface KafkaTopicFacts {
  readonly name: string
  readonly partitions: number
  /** Of the partition that has the fewest. */
  readonly replicas: number
  /** Partitions with fewer replicas in sync than replicas. */
  readonly underReplicated: number
  readonly leaderless: number
  /** Those of `topicSettings`; empty where they may not be read. */
  readonly config: KafkaSettingTexts
}

export interface KafkaFacts {
  readonly clusterId: string | null
  readonly brokers: number
  /** Kafka 4.0 or later, judged by what the brokers speak. */
  readonly isCurrent: boolean
  /** Settings of one broker; empty where they may not be read. */
  readonly config: KafkaSettingTexts
  readonly topics: readonly KafkaTopicFacts[]
  readonly missingTopics: readonly string[]
  /** Null where none was asked for. */
  readonly group: ConsumerGroupFacts | null
}

const topicSettings = [
  'min.insync.replicas',
  'cleanup.policy',
  'max.message.bytes',
  'message.timestamp.type',
  'message.timestamp.before.max.ms',
  'message.timestamp.after.max.ms',
] as const
const brokerSettings = [
  'transaction.max.timeout.ms',
  'transaction.state.log.replication.factor',
  'transaction.state.log.min.isr',
  'group.min.session.timeout.ms',
  'group.max.session.timeout.ms',
] as const

/** Reads what can be read of a cluster; changes nothing. Rejects with `system-unreachable`. */
export async function readKafkaFacts(
  cluster: KafkaCluster,
  asked: { readonly topics: readonly string[]; readonly groupId: string | null },
): Promise<KafkaFacts> {
  const metadata = await cluster.metadata([...asked.topics])
  const there = metadata.topics.filter(({ error }) => error === kafkaError.none)
  const names = there.map(({ topic }) => topic)
  const configs = await readTopicConfigs(cluster, names, topicSettings).catch(() => null)
  return {
    clusterId: metadata.clusterId,
    brokers: metadata.brokers.length,
    isCurrent: isKafka4(await cluster.any()),
    config: await readBrokerConfig(cluster, brokerSettings),
    topics: there.map(({ topic, partitions }) => ({
      name: topic,
      partitions: partitions.length,
      replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      underReplicated: partitions.filter(({ replicas, inSync }) => inSync.length < replicas.length).length,
      leaderless: partitions.filter(({ leader }) => leader === null).length,
      config: configs?.get(topic) ?? new Map(),
    })),
    missingTopics: asked.topics.filter((name) => !names.includes(name)),
    group: asked.groupId === null ? null : await describeConsumerGroup(cluster, asked.groupId),
  }
}
