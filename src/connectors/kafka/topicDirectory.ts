import { TidemarkError } from '../../core/errors.ts'
import type { KafkaCluster } from './kafkaCluster.ts'
import { kafkaError } from './protocol/errorCodes.ts'
import type { TopicMetadata } from './protocol/metadata.ts'

/** What must be known of a topic before a record can be placed in it. */
export interface KnownTopic {
  readonly name: string
  readonly partitions: number
  /** `max.message.bytes`: the largest batch. */
  readonly maxMessageBytes: number
}

/** The broker's default `max.message.bytes`, for topics whose settings may not be read. */
export const defaultMaxMessageBytes = 1_048_588

/** Between two looks at a topic that records are sent to in vain. */
const refreshMs = 5_000

const topicResource = 2
const batchLimit = 'max.message.bytes'

/** The topics that this process writes or reads, as they were when they were last looked up. */
export class TopicDirectory {
  readonly #cluster: KafkaCluster
  readonly #topics = new Map<string, KnownTopic>()
  readonly #loading = new Map<string, Promise<void>>()
  readonly #refreshedMs = new Map<string, number>()

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster
  }

  find(name: string): KnownTopic | undefined {
    return this.#topics.get(name)
  }

  /** Looks topics up anew. Rejects with `unknown-topic` for the first one that does not exist. */
  async load(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    const { topics } = await this.#cluster.metadata(names)
    for (const name of names) {
      const found = topics.find(({ topic }) => topic === name)
      if (found === undefined || found.error === kafkaError.unknownTopicOrPartition) throw unknownTopic(name)
    }
    await this.#learn(topics)
  }

  /** Looks a topic up in the background, if it is not known; whoever waits calls `loaded`. */
  request(name: string): void {
    this.loaded(name).catch(() => undefined)
  }

  /** Looks a topic up again in the background, unless that was done just now. */
  refresh(name: string): void {
    const now = this.#cluster.clock.monotonicMs()
    if (now - (this.#refreshedMs.get(name) ?? -Infinity) < refreshMs) return
    this.#refreshedMs.set(name, now)
    // What cannot be looked up now stays as it is known.
    this.load([name]).catch(() => undefined)
  }

  /** Resolves when a topic is known. Rejects with `unknown-topic`. */
  async loaded(name: string): Promise<KnownTopic> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    let loading = this.#loading.get(name)
    if (loading === undefined) {
      loading = this.load([name]).finally(() => this.#loading.delete(name))
      this.#loading.set(name, loading)
    }
    await loading
    const found = this.#topics.get(name)
    if (found === undefined) throw unknownTopic(name)
    return found
  }

  async #learn(topics: readonly TopicMetadata[]): Promise<void> {
    const usable = topics.filter(({ error }) => error === kafkaError.none)
    const limits = await this.#limits(usable.map(({ topic }) => topic))
    for (const { topic, partitions } of usable) {
      const maxMessageBytes = limits.get(topic) ?? defaultMaxMessageBytes
      this.#topics.set(topic, { name: topic, partitions: partitions.length, maxMessageBytes })
    }
  }

  async #limits(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const limits = new Map<string, number>()
    if (names.length === 0) return limits
    try {
      const configs = await readTopicConfigs(this.#cluster, names, [batchLimit])
      for (const [name, config] of configs) {
        const bytes = Number(config.get(batchLimit))
        if (Number.isSafeInteger(bytes) && bytes > 0) limits.set(name, bytes)
      }
    } catch (error) {
      // A user may be allowed to write a topic and not to read its settings: then Kafka's default must do.
      if (!(error instanceof TidemarkError && error.code === 'not-authorized')) throw error
    }
    return limits
  }
}

/** Settings of topics. Rejects with `not-authorized`. */
export async function readTopicConfigs(
  cluster: KafkaCluster,
  topics: readonly string[],
  settings: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, string | null>>> {
  const resources = topics.map((name) => ({ type: topicResource, name, configNames: settings }) as const)
  const answer = await cluster.retry(
    'Reading the settings of topics',
    async () => (await cluster.any()).describeConfigs({ resources }),
    (code) => Promise.resolve(code === null),
  )
  return new Map(
    answer.resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  )
}

export function unknownTopic(name: string): TidemarkError {
  return new TidemarkError(
    'unknown-topic',
    `Topic ${name} does not exist in Kafka. Create it with: npx tidemark topic create ${name}`,
    { details: { topic: name } },
  )
}
