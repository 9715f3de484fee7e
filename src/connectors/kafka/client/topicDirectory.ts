import { unknownTopic } from '../../../core/topicErrors.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { KafkaCluster } from './kafkaCluster.ts'
import { numberOf, readTopicConfigs, type KafkaSettingTexts } from './readConfigs.ts'
import { kafkaError, refusesTopic } from '../protocol/errorCodes.ts'
import type { TopicMetadata } from '../protocol/metadata.ts'

/** What must be known of a topic before a record can be placed in it. */
export interface KnownTopic {
  readonly name: string
  readonly partitions: number
  /** The largest batch: `max.message.bytes`, or `segment.bytes` where that is less. */
  readonly maxMessageBytes: number
  /** It is compacted: the brokers refuse records without a key. */
  readonly needsKey: boolean
  /** How far from the present a record's timestamp may be; null: as far as it likes. */
  readonly timestamps: TimestampLimits | null
}

export interface TimestampLimits {
  readonly beforeMs: number
  readonly afterMs: number
  /** False where the brokers have refused a record of the present: their clocks are others. */
  readonly nowFits: boolean
}

/** The broker's default `max.message.bytes`, for topics whose settings may not be read. */
export const brokerMaxMessageBytes = 1_048_588

/** Between two looks at a topic that records are sent to in vain. */
const refreshMs = 5_000
/** Names of topics that are no use, for so long; they may come from messages. */
const refusedMs = 10_000
const mostRefused = 1_000
/** Topics that are looked up in the background at a time. */
const mostRequested = 8
/** Topics that are asked for at once. */
const namesARequest = 500

const topicSettings = [
  'max.message.bytes',
  'segment.bytes',
  'cleanup.policy',
  'message.timestamp.type',
  'message.timestamp.before.max.ms',
  'message.timestamp.after.max.ms',
  // Of brokers before 3.6.
  'message.timestamp.difference.max.ms',
] as const

interface RefusedTopic {
  readonly name: string
  readonly error: TidemarkError
}

/** The topics that this process writes or reads, as they were when they were last looked up. */
export class TopicDirectory {
  readonly #cluster: KafkaCluster
  readonly #topics = new Map<string, KnownTopic>()
  readonly #refused = new Map<string, { readonly error: TidemarkError; readonly untilMs: number }>()
  readonly #loading = new Map<string, Promise<void>>()
  readonly #refreshedMs = new Map<string, number>()
  /** Topics of the plan that were found missing, and when first. */
  readonly #missingFrom = new Map<string, number>()

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster
  }

  find(name: string): KnownTopic | undefined {
    return this.#topics.get(name)
  }

  /** Why nothing can be sent to a topic, as was found out just now; undefined where nothing like that is known. */
  refusal(name: string): TidemarkError | undefined {
    const refused = this.#refused.get(name)
    if (refused === undefined || this.#cluster.clock.monotonicMs() < refused.untilMs) return refused?.error
    // It is asked for anew with the next record that is sent to it.
    this.#refused.delete(name)
    return undefined
  }

  /** Notes that nothing can be sent to a topic; not for long, because that may change. */
  refuse(name: string, error: TidemarkError): void {
    this.#topics.delete(name)
    this.#refused.delete(name)
    this.#refused.set(name, { error, untilMs: this.#cluster.clock.monotonicMs() + refusedMs })
    const [oldest] = this.#refused.keys()
    if (this.#refused.size > mostRefused && oldest !== undefined) this.#refused.delete(oldest)
  }

  /** The brokers of a topic have refused a record of the present. */
  hasOtherClock(name: string): void {
    const topic = this.#topics.get(name)
    if (topic === undefined || topic.timestamps === null) return
    this.#topics.set(name, { ...topic, timestamps: { ...topic.timestamps, nowFits: false } })
  }

  /** Looks topics up anew. Rejects with `unknown-topic` or `not-authorized` for the first one that cannot be used. */
  async load(names: readonly string[]): Promise<void> {
    for (const refused of await this.#lookUp(names)) throw refused.error
  }

  /** Looks topics up anew; afterwards those that cannot be used are known as `refusal`. */
  async look(names: readonly string[]): Promise<void> {
    for (const { name, error } of await this.#lookUp(names)) this.refuse(name, error)
  }

  /** The first of these topics that is missing now, and since when that is so, as far as was asked; null: none. */
  async missing(names: readonly string[]): Promise<{ readonly error: TidemarkError; readonly sinceMs: number } | null> {
    const refused = await this.#lookUp(names)
    const now = this.#cluster.clock.monotonicMs()
    const missing = new Map(refused.map(({ name }) => [name, this.#missingFrom.get(name) ?? now]))
    for (const name of names) this.#missingFrom.delete(name)
    for (const [name, from] of missing) this.#missingFrom.set(name, from)
    const [first] = refused
    return first === undefined ? null : { error: first.error, sinceMs: now - (missing.get(first.name) ?? now) }
  }

  /**
   * Looks a topic up in the background, if it is not known; whoever waits calls `loaded`. Some at a time: names may come from
   * messages, and those that are left are looked up together.
   */
  request(name: string): void {
    if (this.#loading.size < mostRequested) this.loaded(name).catch(() => undefined)
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
    if (found === undefined) throw unknownInKafka(name)
    return found
  }

  /** Learns the topics, and gives those that cannot be used. */
  async #lookUp(names: readonly string[]): Promise<readonly RefusedTopic[]> {
    const refused: RefusedTopic[] = []
    for (let first = 0; first < names.length; first += namesARequest) {
      const asked = names.slice(first, first + namesARequest)
      const { topics } = await this.#cluster.metadata(asked)
      const found = new Map(topics.map((topic) => [topic.topic, topic]))
      for (const name of asked) {
        const error = found.get(name)?.error ?? kafkaError.unknownTopicOrPartition
        if (error === kafkaError.topicAuthorizationFailed) refused.push({ name, error: hiddenTopic(name) })
        else if (refusesTopic.has(error)) refused.push({ name, error: unknownInKafka(name) })
      }
      await this.#learn(topics.filter(({ error }) => error === kafkaError.none))
    }
    return refused
  }

  async #learn(topics: readonly TopicMetadata[]): Promise<void> {
    const configs = await this.#configs(topics.map(({ topic }) => topic))
    for (const { topic, partitions } of topics) {
      this.#refused.delete(topic)
      this.#topics.set(topic, knownTopic(topic, partitions.length, configs.get(topic) ?? new Map()))
    }
  }

  async #configs(names: readonly string[]): Promise<ReadonlyMap<string, KafkaSettingTexts>> {
    try {
      return await readTopicConfigs(this.#cluster, names, topicSettings)
    } catch (error) {
      // A user may be allowed to write a topic and not to read its settings: then Kafka's defaults must do.
      if (error instanceof TidemarkError && error.code === 'not-authorized') return new Map()
      throw error
    }
  }
}

function knownTopic(name: string, partitions: number, config: KafkaSettingTexts): KnownTopic {
  const limit = (key: (typeof topicSettings)[number]): number | null => numberOf(config, key)
  const difference = limit('message.timestamp.difference.max.ms') ?? Infinity
  const beforeMs = limit('message.timestamp.before.max.ms') ?? difference
  const afterMs = limit('message.timestamp.after.max.ms') ?? difference
  const isStamped = config.get('message.timestamp.type') === 'LogAppendTime'
  const isAnyTime = isStamped || (beforeMs > anyTimeMs && afterMs > anyTimeMs)
  return {
    name,
    partitions,
    maxMessageBytes: Math.min(limit('max.message.bytes') ?? brokerMaxMessageBytes, limit('segment.bytes') ?? Infinity),
    needsKey: config.get('cleanup.policy')?.includes('compact') ?? false,
    timestamps: isAnyTime ? null : { beforeMs, afterMs, nowFits: true },
  }
}

/** The largest number that is exact; Kafka writes 2^63 - 1 for "no limit". */
const anyTimeMs = Number.MAX_SAFE_INTEGER

function hiddenTopic(name: string): TidemarkError {
  return new TidemarkError(
    'not-authorized',
    `Kafka does not let the user of this job see topic ${name} (TOPIC_AUTHORIZATION_FAILED). Allow it WRITE and DESCRIBE on the topics it writes, READ and DESCRIBE on those it reads`,
    { details: { system: 'kafka', topic: name } },
  )
}

/** A topic as the cluster has it now, with its error where it may not be used; null: there is none of that name. */
export async function findTopic(cluster: Pick<KafkaCluster, 'metadata'>, name: string): Promise<TopicMetadata | null> {
  const { topics } = await cluster.metadata([name])
  const found = topics.find(({ topic }) => topic === name)
  return found === undefined || found.error === kafkaError.unknownTopicOrPartition ? null : found
}

export function unknownInKafka(name: string): TidemarkError {
  return unknownTopic(name, ' in Kafka')
}
