import type { KafkaCluster } from './kafkaCluster.ts'

/** Settings of a topic or a broker, by name. */
export type KafkaSettingTexts = ReadonlyMap<string, string | null>

const topicResource = 2
const brokerResource = 4

/** Settings of topics. Rejects with `not-authorized`. */
export async function readTopicConfigs(
  cluster: KafkaCluster,
  topics: readonly string[],
  settings: readonly string[],
): Promise<ReadonlyMap<string, KafkaSettingTexts>> {
  if (topics.length === 0) return new Map()
  const resources = topics.map((name) => ({ type: topicResource, name, configNames: settings }) as const)
  const answer = await cluster.retry(
    'Reading the settings of topics',
    async () => (await cluster.any()).describeConfigs({ resources }),
    (code) => Promise.resolve(code === null),
  )
  return new Map(answer.resources.map(({ resourceName, configEntries }) => [resourceName, textsOf(configEntries)]))
}

/** Settings of one broker; none where they may not be read: what the brokers refuse says the same later. */
export async function readBrokerConfig(cluster: KafkaCluster, settings: readonly string[]): Promise<KafkaSettingTexts> {
  const [nodeId] = cluster.nodeIds
  if (nodeId === undefined) return new Map()
  try {
    const broker = await cluster.pool.broker(nodeId)
    const resource = { type: brokerResource, name: String(nodeId), configNames: settings } as const
    const { resources } = await broker.describeConfigs({ resources: [resource] })
    return textsOf(resources[0]?.configEntries ?? [])
  } catch {
    return new Map()
  }
}

/** A setting that counts something; null where it is not told. */
export function numberOf(config: KafkaSettingTexts, setting: string): number | null {
  const text = config.get(setting) ?? ''
  const value = Number(text)
  return text !== '' && Number.isFinite(value) && value >= 0 ? value : null
}

function textsOf(
  entries: readonly { readonly configName: string; readonly configValue: string | null }[],
): KafkaSettingTexts {
  return new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
}
