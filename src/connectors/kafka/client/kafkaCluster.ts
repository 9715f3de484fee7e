import type { Clock } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { retry, type Backoff } from '../../../core/retry.ts'
import { BrokerPool, type KafkaConnection } from './brokerPool.ts'
import { asKafkaError, brokerCode, systemUnreachable } from './kafkaErrors.ts'
import type { KafkajsBroker } from './kafkajs.ts'
import { coordinatorMoved, leaderMoved } from '../protocol/errorCodes.ts'
import { requestMetadata, type BrokerAddress, type ClusterMetadata, type TopicMetadata } from '../protocol/metadata.ts'

export type CoordinatorKind = 'group' | 'transaction'

const coordinatorTypes = { group: 0, transaction: 1 } as const

/** Between two tries of something that has moved, or is not there yet. */
const retries: Backoff = { initialDelayMs: 20, maxDelayMs: 200 }
/** Then the caller is told, which may have been asked to stop meanwhile. */
const maxRetryingMs = 10_000

/**
 * One Kafka cluster as this process sees it: its brokers, who leads which partition, who coordinates what. Learns it from
 * metadata, and anew when a broker says that it is out of date. All its calls reject with `system-unreachable` when nobody
 * answers.
 */
export class KafkaCluster {
  readonly clock: Clock
  readonly connection: KafkaConnection
  /** For requests that may wait for one another. */
  readonly pool: BrokerPool
  readonly #log: Logger
  readonly #brokers = new Map<number, BrokerAddress>()
  readonly #leaders = new Map<string, number>()
  readonly #topicIds = new Map<string, string>()
  readonly #coordinators = new Map<string, number>()
  readonly #refreshing = new Map<string, Promise<unknown>>()
  #controller: number | null = null
  #id: string | null = null
  readonly #closing = new AbortController()

  constructor(connection: KafkaConnection, clock: Clock, log: Logger) {
    this.connection = connection
    this.clock = clock
    this.#log = log
    this.pool = this.newPool()
  }

  /** Null before the first metadata, and for brokers that have none. */
  get id(): string | null {
    return this.#id
  }

  get nodeIds(): readonly number[] {
    return [...this.#brokers.keys()]
  }

  addressOf(nodeId: number): BrokerAddress | undefined {
    return this.#brokers.get(nodeId)
  }

  /** Connections of their own; the caller closes them. */
  newPool(): BrokerPool {
    return new BrokerPool(this.connection, this, this.clock, this.#log)
  }

  any(): Promise<KafkajsBroker> {
    return this.pool.any(this.nodeIds)
  }

  /** Topics with their partitions, and each topic's own error code; null: all topics of the cluster. */
  async metadata(topics: readonly string[] | null): Promise<ClusterMetadata> {
    const metadata = await this.ask('Reading the metadata', async () => {
      const broker = await this.any()
      try {
        return await requestMetadata(broker, topics)
      } catch (error) {
        // It may be frozen: the next one to ask takes another, where there is one.
        this.pool.distrust(broker)
        throw error
      }
    })
    if (metadata.brokers.length > 0) {
      this.#brokers.clear()
      for (const broker of metadata.brokers) this.#brokers.set(broker.nodeId, broker)
    }
    this.#controller = metadata.controllerId
    this.#id = metadata.clusterId
    for (const topic of metadata.topics) this.#learn(topic)
    return metadata
  }

  /** The node that leads a partition; asks when it is not known. Rejects with `system-unreachable` while it has none. */
  async leaderOf(topic: string, partition: number): Promise<number> {
    const known = this.knownLeader(topic, partition)
    if (known !== undefined && this.#brokers.has(known)) return known
    await this.refreshLeaders(topic)
    const found = this.knownLeader(topic, partition)
    if (found !== undefined && this.#brokers.has(found)) return found
    throw systemUnreachable(`Partition ${String(partition)} of ${topic} has no leader now`, { topic, partition })
  }

  knownLeader(topic: string, partition: number): number | undefined {
    return this.#leaders.get(partitionKey(topic, partition))
  }

  /** The id of the topic that had this name when it was last looked up; null where brokers tell none. */
  knownTopicId(topic: string): string | null {
    return this.#topicIds.get(topic) ?? null
  }

  /** What was known of a topic's leaders was wrong. Callers at the same time share one request. */
  async refreshLeaders(topic: string): Promise<void> {
    let refreshing = this.#refreshing.get(topic)
    if (refreshing === undefined) {
      refreshing = this.metadata([topic]).finally(() => this.#refreshing.delete(topic))
      this.#refreshing.set(topic, refreshing)
    }
    await refreshing
  }

  /** A connection to the leader of a partition, waited for while leadership moves: nothing has been sent yet. */
  leaderBroker(topic: string, partition: number, pool: BrokerPool): Promise<KafkajsBroker> {
    return this.retry(
      `Finding the leader of ${topic}, partition ${String(partition)} failed`,
      async () => pool.broker(await this.leaderOf(topic, partition)),
      async () => {
        await this.refreshLeaders(topic)
        return true
      },
    )
  }

  /** A connection to a coordinator, waited for while it moves: nothing has been sent yet. */
  coordinatorBroker(kind: CoordinatorKind, id: string, pool: BrokerPool): Promise<KafkajsBroker> {
    return this.retry(
      `Finding the coordinator of ${id} failed`,
      async () => pool.broker(await this.coordinatorOf(kind, id)),
      async (code) => {
        this.forgetCoordinator(kind, id)
        if (code === null) await this.metadata([])
        return code === null || coordinatorMoved.has(code)
      },
    )
  }

  /** Runs a request at the leader of a partition, again while leadership moves. */
  atLeader<T>(
    topic: string,
    partition: number,
    what: string,
    request: (leader: KafkajsBroker) => Promise<T>,
  ): Promise<T> {
    return this.retry(
      what,
      async () => request(await this.pool.broker(await this.leaderOf(topic, partition))),
      async (code) => {
        if (code !== null && !leaderMoved.has(code)) return false
        await this.refreshLeaders(topic)
        return true
      },
    )
  }

  /** The node that coordinates a consumer group or a transactional id. */
  async coordinatorOf(kind: CoordinatorKind, id: string): Promise<number> {
    const key = coordinatorKey(kind, id)
    const known = this.#coordinators.get(key)
    if (known !== undefined) return known
    const { coordinator } = await (
      await this.any()
    ).findGroupCoordinator({ groupId: id, coordinatorType: coordinatorTypes[kind] })
    const { nodeId } = coordinator
    if (!this.#brokers.has(nodeId)) this.#brokers.set(nodeId, coordinator)
    this.#coordinators.set(key, nodeId)
    return nodeId
  }

  forgetCoordinator(kind: CoordinatorKind, id: string): void {
    this.#coordinators.delete(coordinatorKey(kind, id))
  }

  /** Runs a request at a coordinator, again while it moves or loads. */
  atCoordinator<T>(
    kind: CoordinatorKind,
    id: string,
    what: string,
    request: (coordinator: KafkajsBroker) => Promise<T>,
  ): Promise<T> {
    return this.retry(
      what,
      async () => request(await this.pool.broker(await this.coordinatorOf(kind, id))),
      (code) => {
        this.forgetCoordinator(kind, id)
        return Promise.resolve(code === null || coordinatorMoved.has(code))
      },
    )
  }

  async controller(): Promise<KafkajsBroker> {
    if (this.#controller === null || !this.#brokers.has(this.#controller)) await this.metadata([])
    return this.pool.broker(this.#controller ?? -1)
  }

  /** One request, with its error told as ours. */
  async ask<T>(what: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (error) {
      throw asKafkaError(error, what)
    }
  }

  /**
   * Repeats a request that changes nothing, or nothing twice, until `again` says no or 10 s (or the request timeout, if
   * that is less) have passed.
   * `again` is given the broker's code, null when nobody answered, and prepares the next try. Nothing is tried again once
   * the cluster is closed.
   */
  async retry<T>(
    what: string,
    request: () => Promise<T>,
    again: (code: number | null) => Promise<boolean>,
  ): Promise<T> {
    const forMs = Math.min(maxRetryingMs, this.connection.requestTimeoutMs)
    const options = { ...retries, clock: this.clock, forMs, signal: this.#closing.signal }
    return this.ask(what, () =>
      retry(options, request, async (error) => {
        if (error instanceof TidemarkError && error.kind !== 'unreachable') return false
        // What `again` cannot find out is asked once more with the next try.
        return again(brokerCode(error)).catch(() => true)
      }),
    )
  }

  close(): Promise<void> {
    this.#closing.abort()
    return this.pool.close()
  }

  #learn({ topic, id, partitions }: TopicMetadata): void {
    if (id !== null) this.#topicIds.set(topic, id)
    for (const { partition, leader } of partitions) {
      const key = partitionKey(topic, partition)
      if (leader === null) this.#leaders.delete(key)
      else this.#leaders.set(key, leader)
    }
  }
}

function partitionKey(topic: string, partition: number): string {
  return `${topic}/${String(partition)}`
}

function coordinatorKey(kind: CoordinatorKind, id: string): string {
  return `${kind}/${id}`
}
