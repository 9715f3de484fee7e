import type { Clock } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { Resource } from '../../../core/ports/port.ts'
import type {
  RecordPage,
  TopicDescription,
  TopicOptions,
  TopicPageRequest,
  Topics,
} from '../../../core/ports/topics.ts'
import { recordBytes, type OutputRecord, type StreamRecord } from '../../../core/record.ts'
import { internalTopicsAmong } from '../../../core/ownNames.ts'
import { checkTopicName } from '../../../core/outputRecord.ts'
import { noPartition, Partitioner } from '../../../core/partitioner.ts'
import type { KafkaConnection } from '../client/brokerPool.ts'
import { Fetcher } from '../read/fetcher.ts'
import { readGroupOffsets } from '../group/groupOffsets.ts'
import type { FetchedOffset } from '../protocol/offsetFetch.ts'
import { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal, asKafkaError } from '../client/kafkaErrors.ts'
import { readRange, untilLed } from '../read/partitionOffsets.ts'
import { PlainProducer } from '../write/plainProducer.ts'
import { requestCreateTopics } from '../protocol/createTopics.ts'
import { kafkaError } from '../protocol/errorCodes.ts'
import type { TopicMetadata } from '../protocol/metadata.ts'
import { readPartition } from '../read/readPartition.ts'
import { refusalByBroker } from '../write/recordRefusals.ts'
import { BatchCollector, type PlacedBatch } from '../write/recordPlacement.ts'
import { TopicDirectory, brokerMaxMessageBytes, findTopic, unknownInKafka } from '../client/topicDirectory.ts'
import { readTopicConfigs } from '../client/readConfigs.ts'

const pageBytes = 4 * 1024 * 1024

/** What commands do with a cluster's topics. */
export class KafkaTopics implements Topics, Resource {
  readonly #cluster: KafkaCluster
  readonly #topics: TopicDirectory
  readonly #fetcher: Fetcher
  readonly #plain: PlainProducer

  constructor(connection: KafkaConnection, environment: { readonly clock: Clock; readonly log: Logger }) {
    this.#cluster = new KafkaCluster(connection, environment.clock, environment.log)
    this.#topics = new TopicDirectory(this.#cluster)
    this.#fetcher = new Fetcher(this.#cluster, environment.log)
    this.#plain = new PlainProducer(this.#cluster, 'none')
  }

  /** Throws `invalid-argument` when the topic exists or cannot be. */
  async createTopic(name: string, options: TopicOptions = {}): Promise<TopicDescription> {
    checkTopicName(name)
    const { partitions = -1, maxMessageBytes } = options
    const config: Record<string, string> =
      maxMessageBytes === undefined ? {} : { 'max.message.bytes': String(maxMessageBytes) }
    const controller = await this.#cluster.controller()
    const { error, message } = await this.#cluster.ask(`Making topic ${name}`, () =>
      requestCreateTopics(controller, { name, partitions, config }),
    )
    if (error === kafkaError.topicExists) throw new TidemarkError('invalid-argument', `Topic ${name} exists already`)
    if (error !== kafkaError.none) {
      const refusal = asKafkaError(new BrokerRefusal(error, `Topic ${name}`, message), `Making topic ${name} failed`)
      throw refusal.kind === 'unreachable'
        ? new TidemarkError('invalid-argument', refusal.message, { cause: refusal })
        : refusal
    }
    await untilLed(this.#cluster, name, Math.max(1, partitions))
    return this.describeTopic(name)
  }

  /** By name. `internal`: also Kafka's own topics, and those that jobs keep: changelogs and control topics. */
  async listTopics({ internal = false }: { readonly internal?: boolean } = {}): Promise<readonly TopicDescription[]> {
    const { topics } = await this.#cluster.metadata(null)
    const ours = internalTopicsAmong(topics.map(({ topic }) => topic))
    const shown = topics.filter((topic) => topic.error === kafkaError.none && (internal || !isInternal(topic, ours)))
    const described = await this.#describe(shown, ours)
    return described.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Throws `unknown-topic`. */
  async describeTopic(name: string): Promise<TopicDescription> {
    const found = await findTopic(this.#cluster, name)
    const usable = found?.error === kafkaError.none ? [found] : []
    const [description] = await this.#describe(usable, internalTopicsAmong([name]))
    if (description === undefined) throw unknownInKafka(name)
    return description
  }

  /**
   * Appends records outside of any transaction; resolves when all replicas have them, with their number. Throws
   * `unknown-topic` and `record-too-large` before anything is sent, `invalid-output` for what the brokers do not take.
   */
  async append(records: readonly OutputRecord[]): Promise<number> {
    await this.#topics.load([...new Set(records.map(({ topic }) => topic))])
    const partitioner = new Partitioner()
    const batches: PlacedBatch[] = []
    const collector = new BatchCollector((batch) => batches.push(batch))
    for (const record of records) {
      const topic = this.#topics.find(record.topic)
      if (topic === undefined) throw unknownInKafka(record.topic)
      collector.add(record, topic, partitioner.partitionOf(record, topic.partitions))
    }
    for (const batch of [...batches, ...collector.take()]) {
      const { refused } = await this.#plain.append(batch)
      for (const each of refused) throw refusalByBroker(batch.topic, each, this.#topics.find(batch.topic))
    }
    return records.length
  }

  /** Committed records from an offset on. Throws `unknown-topic`, and `invalid-argument` for a partition that is not there. */
  async readPage({ topic, partition, from, limit, maxBytes = pageBytes }: TopicPageRequest): Promise<RecordPage> {
    const { partitions } = await this.#topics.loaded(topic)
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
      throw noPartition(topic, partitions, partition)
    }
    const { start, end } = await readRange(this.#cluster, topic, partition)
    const records: StreamRecord[] = []
    let bytesLeft = Math.min(maxBytes, pageBytes)
    const isFull = (): boolean => records.length >= limit || bytesLeft <= 0
    if (isFull()) return { records, next: from, end }
    for await (const batch of readPartition(this.#fetcher, { topic, partition }, Math.max(start, from), end)) {
      for (const record of batch) {
        if (isFull()) break
        records.push(record)
        bytesLeft -= recordBytes({ key: record.key, value: record.raw, headers: record.headers })
      }
      if (isFull()) break
    }
    const last = records.at(-1)
    return { records, next: isFull() && last !== undefined ? last.offset + 1 : Math.max(from, end), end }
  }

  /** Everything that a consumer group has committed. */
  committedOffsets(group: string): Promise<readonly FetchedOffset[]> {
    return readGroupOffsets(this.#cluster, group)
  }

  /** Brokers are reached by the first call. */
  connect(): Promise<void> {
    return Promise.resolve()
  }

  async close(): Promise<void> {
    this.#fetcher.close()
    await Promise.all([this.#plain.close(), this.#cluster.close()])
  }

  async #describe(topics: readonly TopicMetadata[], ours: ReadonlySet<string>): Promise<readonly TopicDescription[]> {
    const setting = 'max.message.bytes'
    const configs = await readTopicConfigs(
      this.#cluster,
      topics.map(({ topic }) => topic),
      [setting],
    ).catch((error: unknown) => {
      if (error instanceof TidemarkError && error.code === 'not-authorized') return null
      throw error
    })
    return Promise.all(
      topics.map(async (topic) => {
        const ends = topic.partitions
          .toSorted((a, b) => a.partition - b.partition)
          .map(async ({ partition }) => (await readRange(this.#cluster, topic.topic, partition)).end)
        return {
          name: topic.topic,
          partitions: topic.partitions.length,
          maxMessageBytes: Number(configs?.get(topic.topic)?.get(setting) ?? brokerMaxMessageBytes),
          internal: isInternal(topic, ours),
          endOffsets: await Promise.all(ends),
        }
      }),
    )
  }
}

function isInternal({ topic, internal }: TopicMetadata, ours: ReadonlySet<string>): boolean {
  return internal || ours.has(topic)
}
