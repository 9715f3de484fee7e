import { describeConsumerGroup, type ConsumerGroupFacts } from '../group/consumerGroup.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { kafkaError } from '../protocol/errorCodes.ts'
import { readTopicConfigs } from '../client/topicDirectory.ts'

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
  readonly config: ReadonlyMap<string, string | null>
}

export interface KafkaFacts {
  readonly clusterId: string | null
  readonly brokers: number
  /** Kafka 4.0 or later, judged by what the brokers speak. */
  readonly isCurrent: boolean
  /** Settings of one broker; empty where they may not be read. */
  readonly config: ReadonlyMap<string, string | null>
  readonly topics: readonly KafkaTopicFacts[]
  readonly missingTopics: readonly string[]
  /** Null where none was asked for. */
  readonly group: ConsumerGroupFacts | null
}

const fetchKey = 1
/** Kafka 4.0 has dropped the versions before it. */
const fetchMinVersionOf4 = 4
const brokerResource = 4
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
  const broker = await cluster.any()
  const there = metadata.topics.filter(({ error }) => error === kafkaError.none)
  const names = there.map(({ topic }) => topic)
  const configs =
    names.length === 0 ? new Map() : await readTopicConfigs(cluster, names, topicSettings).catch(() => new Map())
  return {
    clusterId: metadata.clusterId,
    brokers: metadata.brokers.length,
    isCurrent: (broker.versions?.[fetchKey]?.minVersion ?? 0) >= fetchMinVersionOf4,
    config: await brokerConfig(cluster),
    topics: there.map(({ topic, partitions }) => ({
      name: topic,
      partitions: partitions.length,
      replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      underReplicated: partitions.filter(({ replicas, inSync }) => inSync.length < replicas.length).length,
      leaderless: partitions.filter(({ leader }) => leader === null).length,
      config: (configs.get(topic) as KafkaTopicFacts['config'] | undefined) ?? new Map<string, string>(),
    })),
    missingTopics: asked.topics.filter((name) => !names.includes(name)),
    group: asked.groupId === null ? null : await describeConsumerGroup(cluster, asked.groupId),
  }
}

async function brokerConfig(cluster: KafkaCluster): Promise<ReadonlyMap<string, string | null>> {
  const [nodeId] = cluster.nodeIds
  if (nodeId === undefined) return new Map()
  try {
    const broker = await cluster.pool.broker(nodeId)
    const resource = { type: brokerResource, name: String(nodeId), configNames: brokerSettings } as const
    const { resources } = await broker.describeConfigs({ resources: [resource] })
    const entries = resources[0]?.configEntries ?? []
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
  } catch {
    // Not everybody may read them; whoever judges says so.
    return new Map()
  }
}
