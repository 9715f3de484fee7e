import { sleep } from '../../core/clock.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { BrokerPool } from './brokerPool.ts'
import type { KafkaCluster } from './kafkaCluster.ts'
import { BrokerRefusal, asKafkaError, brokerCode } from './kafkaErrors.ts'
import type { CompressionType } from './protocol/compression.ts'
import { kafkaError, leaderMoved, notNow } from './protocol/errorCodes.ts'
import { requestProduce } from './protocol/produce.ts'
import type { RecordBatchBuilder } from './protocol/recordBatchBuilder.ts'
import type { Place } from './taskProducer.ts'

const firstRetryMs = 20
const maxRetryMs = 1000

/**
 * Sends outside of any transaction, one batch after the other, and again whenever the outcome is unknown or the broker
 * cannot for now: nothing is lost and some of it may be doubled.
 */
export class PlainProducer {
  readonly #cluster: KafkaCluster
  readonly #compression: CompressionType
  readonly #pool: BrokerPool
  #last: Promise<unknown> = Promise.resolve()
  #waitingBytes = 0
  #closed = false

  constructor(cluster: KafkaCluster, compression: CompressionType) {
    this.#cluster = cluster
    this.#compression = compression
    this.#pool = cluster.newPool()
  }

  /** Resolves when all replicas have the batch, with its first offset. Rejects when that is not so within the request timeout. */
  append(place: Place, builder: RecordBatchBuilder): Promise<number> {
    const { bytes } = builder
    this.#waitingBytes += bytes
    const run = this.#last
      .then(() => this.#append(place, builder))
      .finally(() => {
        this.#waitingBytes -= bytes
      })
    this.#last = run.catch(() => undefined)
    return run
  }

  /** What is not yet acknowledged, uncompressed. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#pool.close()
  }

  async #append(place: Place, builder: RecordBatchBuilder): Promise<number> {
    const { topic, partition } = place
    const what = `Sending to ${topic}, partition ${String(partition)} failed`
    const { clock, connection } = this.#cluster
    const batch = await builder.build(null, this.#compression)
    const until = clock.monotonicMs() + connection.requestTimeoutMs
    for (let delayMs = firstRetryMs; ; delayMs = Math.min(maxRetryMs, delayMs * 2)) {
      if (this.#closed)
        throw new TidemarkError('system-unreachable', `${what}: the connection was closed by this process`)
      try {
        return await this.#once(place, batch)
      } catch (error) {
        const code = brokerCode(error)
        const repeat = code === null || leaderMoved.has(code) || notNow.has(code)
        if (!repeat || clock.monotonicMs() >= until) throw asKafkaError(error, what)
        await this.#cluster.refreshLeaders(topic).catch(() => undefined)
        await sleep(clock, delayMs)
      }
    }
  }

  async #once({ topic, partition }: Place, batch: Buffer): Promise<number> {
    const leader = await this.#pool.broker(await this.#cluster.leaderOf(topic, partition))
    const timeoutMs = this.#cluster.connection.requestTimeoutMs
    const { error, baseOffset } = await requestProduce(leader, {
      topic,
      partition,
      transactionalId: null,
      batch,
      timeoutMs,
    })
    if (error !== kafkaError.none) throw new BrokerRefusal(error, 'Kafka refuses the batch')
    return baseOffset
  }
}
