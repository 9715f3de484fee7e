import { retry, type Backoff } from '../../../core/retry.ts'
import { appendInParts, tooLargeToSend, type Appended } from './appendInParts.ts'
import type { BrokerPool } from '../client/brokerPool.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal, asSendError, brokerCode, systemUnreachable } from '../client/kafkaErrors.ts'
import type { CompressionType } from '../protocol/compression.ts'
import { kafkaError, leaderMoved, notNow, refusesRecords } from '../protocol/errorCodes.ts'
import { requestProduce, type Produced } from '../protocol/produce.ts'
import type { RecordBatchBuilder } from '../protocol/recordBatchBuilder.ts'
import type { Place, PlacedBatch } from './recordPlacement.ts'

const retries: Backoff = { initialDelayMs: 20, maxDelayMs: 1000 }

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

  /**
   * Resolves when all replicas have the batch, but for the records that the broker does not take. Rejects when that is not
   * so within the request timeout, and at once when the broker refuses all of it.
   */
  append(batch: PlacedBatch): Promise<Appended> {
    const { bytes } = batch.builder
    this.#waitingBytes += bytes
    const run = this.#last
      .then(() => appendInParts(batch.builder, (part) => this.#append(batch, part)))
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

  async #append(place: PlacedBatch, builder: RecordBatchBuilder): Promise<Produced> {
    const { topic, partition, maxBytes } = place
    const what = `Sending to ${topic}, partition ${String(partition)} failed`
    const { clock, connection } = this.#cluster
    const batch = await builder.build(null, this.#compression)
    if (batch.length > maxBytes) return tooLargeToSend(batch, maxBytes)
    const again = async (failure: unknown): Promise<boolean> => {
      const code = brokerCode(failure)
      if (this.#closed || !(code === null || leaderMoved.has(code) || notNow.has(code))) return false
      await this.#cluster.refreshLeaders(topic).catch(() => undefined)
      return true
    }
    try {
      return await retry(
        { ...retries, clock, forMs: connection.requestTimeoutMs },
        () => this.#once(place, batch),
        again,
      )
    } catch (error) {
      throw asSendError(error, what)
    }
  }

  async #once({ topic, partition }: Place, batch: Buffer): Promise<Produced> {
    if (this.#closed) throw systemUnreachable('The connection was closed by this process')
    const leader = await this.#pool.broker(await this.#cluster.leaderOf(topic, partition))
    const timeoutMs = this.#cluster.connection.requestTimeoutMs
    const produced = await requestProduce(leader, { topic, partition, transactionalId: null, batch, timeoutMs })
    if (produced.error === kafkaError.none || refusesRecords.has(produced.error)) return produced
    throw new BrokerRefusal(produced.error, 'Kafka refuses the batch', produced.message)
  }
}
