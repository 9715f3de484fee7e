import { TidemarkError } from '../../../core/errors.ts'
import { readTopicConfigs, type KafkaSettingTexts } from '../client/readConfigs.ts'
import { findTopic } from '../client/topicDirectory.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal } from '../client/kafkaErrors.ts'
import { untilLed } from '../read/partitionOffsets.ts'
import { requestCreateTopics } from '../protocol/createTopics.ts'
import { kafkaError } from '../protocol/errorCodes.ts'

/** A topic in which a job keeps what is its own. */
export interface OwnTopic {
  readonly name: string
  readonly kind: 'changelog' | 'control' | 'write-ahead'
  readonly partitions: number
  /** What it is made with. */
  readonly config: Readonly<Record<string, string>>
  /** Of the config: what one that is there must have as well. */
  readonly needs: readonly string[]
  /** What it is, after its name, and what would be without what it needs: `is the job's changelog`, `state would be lost`. */
  readonly purpose: string
  readonly otherwise: string
}

/**
 * Makes the topic, or checks the one that is there; where it has fewer partitions (a stateless group has grown) it is given
 * more. Resolves with the settings that it has, of those it is made with. Rejects with `invalid-plan` for a topic that is not
 * one of ours.
 */
export async function ensureOwnTopic(cluster: KafkaCluster, topic: OwnTopic): Promise<KafkaSettingTexts> {
  const { name, config, needs, purpose, otherwise } = topic
  const partitions = await partitionsOf(cluster, name)
  if (partitions === null) {
    await create(cluster, topic)
    return new Map(Object.entries(config))
  }
  const found: KafkaSettingTexts = (await readTopicConfigs(cluster, [name], Object.keys(config))).get(name) ?? new Map()
  for (const setting of needs) {
    const [needed, has] = [config[setting] ?? '', found.get(setting) ?? '']
    if (has === needed) continue
    throw new TidemarkError(
      'invalid-plan',
      `Topic ${name} ${purpose} and has ${setting}=${has}, so that ${otherwise}: set ${setting}=${needed}, or rename the job`,
      { details: { topic: name } },
    )
  }
  if (partitions < topic.partitions) await grow(cluster, topic)
  return found
}

/** How many it has; null: there is none. */
export async function partitionsOf(cluster: KafkaCluster, name: string): Promise<number | null> {
  return (await findTopic(cluster, name))?.partitions.length ?? null
}

async function create(cluster: KafkaCluster, { kind, name, partitions, config }: OwnTopic): Promise<void> {
  await cluster.retry(
    `Making ${kind} topic ${name}`,
    async () => {
      const { error, message } = await requestCreateTopics(await cluster.controller(), { name, partitions, config })
      // Another process of the job was faster.
      if (error !== kafkaError.none && error !== kafkaError.topicExists)
        throw new BrokerRefusal(error, 'Kafka refuses', message)
    },
    (code) => Promise.resolve(code === null),
  )
  await untilLed(cluster, name, partitions)
}

async function grow(cluster: KafkaCluster, { kind, name, partitions: count }: OwnTopic): Promise<void> {
  await cluster.retry(
    `Giving ${kind} topic ${name} more partitions`,
    async () => {
      if ((await partitionsOf(cluster, name)) === count) return
      await (await cluster.controller()).createPartitions({ topicPartitions: [{ topic: name, count }] })
    },
    // Refused, because another process of the job was faster: then it is seen with the next try.
    () => Promise.resolve(true),
  )
  await untilLed(cluster, name, count)
}
