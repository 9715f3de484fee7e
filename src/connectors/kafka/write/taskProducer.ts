import { sleep } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { retry, type Backoff } from '../../../core/retry.ts'
import { appendInParts, nothingAppended, tooLargeToSend, type Appended } from './appendInParts.ts'
import type { BrokerPool } from '../client/brokerPool.ts'
import type { CoordinatorKind, KafkaCluster } from '../client/kafkaCluster.ts'
import { asKafkaError, asTransactionError, brokerCode, lostTransaction } from '../client/kafkaErrors.ts'
import type { KafkajsBroker } from '../client/kafkajs.ts'
import type { CompressionType } from '../protocol/compression.ts'
import { coordinatorMoved, describeCode, kafkaError, leaderMoved } from '../protocol/errorCodes.ts'
import { requestAddPartitions } from '../protocol/addPartitions.ts'
import { requestProduce, type Produced } from '../protocol/produce.ts'
import type { Place, PlacedBatch } from './recordPlacement.ts'
import type { RecordBatchBuilder } from '../protocol/recordBatchBuilder.ts'

/** The broker is still ending the transaction before, which takes it some ms; it is asked again soon. */
const concurrentRetries: Backoff = { initialDelayMs: 3, maxDelayMs: 20 }
const movedRetryMs = 50
/** So long a batch is sent again while the leadership of its partition moves; then the task begins anew. */
const movingLeaderMs = 5_000
const sequences = 2 ** 31

export interface TaskProducerOptions {
  readonly cluster: KafkaCluster
  /** The same for this task in every process: owning it is owning the task. */
  readonly transactionalId: string
  /** After so long without an end the broker aborts a transaction. */
  readonly transactionTimeoutMs: number
  readonly compression: CompressionType
}

/** The partition has another leader, or too few replicas to take anything for now. */
const notWritten: ReadonlySet<number> = new Set([...leaderMoved, kafkaError.notEnoughReplicas])

/** What is committed of one input. */
export interface OffsetWithMetadata extends Place {
  readonly offset: number
  readonly metadata: string
}

/**
 * The transactional producer of one task. Everything it sends is strictly one after the other, one partition at a time, and
 * no send is repeated: a send whose answer is lost has an unknown outcome. After anything but a clear answer the producer
 * is `broken` for good: it is thrown away, and the task fences again and reads what was committed. Only answers that say
 * that nothing was done (the coordinator has moved, or still ends the transaction before) are answered by asking again, and
 * a batch whose leader answers that it leads no more: it goes to the next one under the same sequence number, by which that
 * one knows it should the old one have copied it there before it stepped down. Nothing else is under way to the partition.
 */
export class TaskProducer {
  readonly #options: TaskProducerOptions
  readonly #pool: BrokerPool
  readonly #id: bigint
  readonly #epoch: number
  readonly #sequences = new Map<string, number>()
  readonly #inTransaction = new Set<string>()
  #offsetsAdded = false
  #broken: TidemarkError | null = null
  #last: Promise<unknown> = Promise.resolve()

  private constructor(options: TaskProducerOptions, pool: BrokerPool, id: bigint, epoch: number) {
    this.#options = options
    this.#pool = pool
    this.#id = id
    this.#epoch = epoch
  }

  /**
   * Takes the transactional id over: InitProducerId ends the transaction of the owner before, and refuses everything that
   * owner still sends. Resolves when that is done, so that committed offsets can be read.
   */
  static async fence(options: TaskProducerOptions): Promise<TaskProducer> {
    const { cluster, transactionalId, transactionTimeoutMs } = options
    const pool = cluster.newPool()
    try {
      const { producerId, producerEpoch } = await askCoordinator(
        cluster,
        pool,
        'transaction',
        transactionalId,
        (coordinator) => coordinator.initProducerId({ transactionalId, transactionTimeout: transactionTimeoutMs }),
      )
      return new TaskProducer(options, pool, BigInt(producerId), producerEpoch)
    } catch (error) {
      void pool.close()
      if (brokerCode(error) === kafkaError.invalidTransactionTimeout) throw timeoutRefused(transactionTimeoutMs, error)
      throw asKafkaError(error, `Taking transactional id ${transactionalId} over failed`)
    }
  }

  /** What made it unusable; null while it can be used. */
  get broken(): TidemarkError | null {
    return this.#broken
  }

  /**
   * Appends a batch within the transaction, which begins with the first one. Records that the broker does not take are given
   * back, and break nothing. `unwanted` is asked when its turn comes: a batch of a transaction that was given up is not sent.
   * `later`: partitions that the transaction will be appended to as well, named in the same request.
   */
  append(batch: PlacedBatch, unwanted: () => boolean, later: readonly Place[] = []): Promise<Appended> {
    const { topic, partition, builder } = batch
    return this.#serially(`Sending to ${topic}, partition ${String(partition)}`, async () => {
      if (unwanted()) return nothingAppended
      await this.#addPartitions([batch, ...later])
      try {
        return await appendInParts(builder, (part) => this.#produce(batch, part))
      } catch (error) {
        if (brokerCode(error) !== null) this.#options.cluster.refreshLeaders(topic).catch(() => undefined)
        throw error
      }
    })
  }

  async #produce(place: PlacedBatch, builder: RecordBatchBuilder): Promise<Produced> {
    const { topic, partition, maxBytes } = place
    const key = placeKey(place)
    const sequence = this.#sequences.get(key) ?? 0
    const batch = await builder.build({ id: this.#id, epoch: this.#epoch, sequence }, this.#options.compression)
    if (batch.length > maxBytes) return tooLargeToSend(batch, maxBytes)
    const produced = await this.#send({ topic, partition }, batch)
    // What was refused has used no sequence.
    if (produced.error === kafkaError.none) this.#sequences.set(key, (sequence + builder.count) % sequences)
    return produced
  }

  /** To whoever leads the partition, while that changes. */
  async #send({ topic, partition }: Place, batch: Buffer): Promise<Produced> {
    const { cluster, transactionalId } = this.#options
    const { clock, connection } = cluster
    const until = clock.monotonicMs() + Math.min(movingLeaderMs, connection.requestTimeoutMs)
    for (;;) {
      const leader = await cluster.leaderBroker(topic, partition, this.#pool)
      const timeoutMs = connection.requestTimeoutMs
      const produced = await requestProduce(leader, { topic, partition, transactionalId, batch, timeoutMs })
      if (!notWritten.has(produced.error) || clock.monotonicMs() >= until) return produced
      await cluster.refreshLeaders(topic).catch(() => undefined)
      await sleep(clock, movedRetryMs)
      if (this.#broken !== null) throw this.#broken
    }
  }

  /** Names partitions that will be appended to, all in one request. */
  addPartitions(places: readonly Place[]): Promise<void> {
    return this.#serially('Adding partitions to the transaction', () => this.#addPartitions(places))
  }

  /** Puts the offsets of all inputs into the transaction. */
  sendOffsets(groupId: string, offsets: readonly OffsetWithMetadata[]): Promise<void> {
    return this.#serially('Sending the offsets', async () => {
      await this.#ask((coordinator) => coordinator.addOffsetsToTxn({ ...this.#identity, groupId }))
      this.#offsetsAdded = true
      const topics = offsets.map(({ topic, partition, offset, metadata }) => ({
        topic,
        partitions: [{ partition, offset: String(offset), metadata }],
      }))
      await askCoordinator(this.#options.cluster, this.#pool, 'group', groupId, (coordinator) =>
        coordinator.txnOffsetCommit({ ...this.#identity, groupId, topics }),
      )
    })
  }

  /** Ends the transaction; does nothing when nothing is in it. */
  end(outcome: 'commit' | 'abort'): Promise<void> {
    return this.#serially(outcome === 'commit' ? 'The commit' : 'The abort', async () => {
      if (this.#inTransaction.size === 0 && !this.#offsetsAdded) return
      await this.#ask((coordinator) =>
        coordinator.endTxn({ ...this.#identity, transactionResult: outcome === 'commit' }),
      )
      this.#inTransaction.clear()
      this.#offsetsAdded = false
    })
  }

  /** Throws the producer away: nothing more is sent, and whoever waits for an answer is told. Never rejects. */
  async discard(reason: string): Promise<void> {
    this.#broken ??= lostTransaction(reason, new Error('the producer was thrown away'))
    await this.#pool.close()
  }

  get #identity(): { transactionalId: string; producerId: string; producerEpoch: number } {
    return { transactionalId: this.#options.transactionalId, producerId: String(this.#id), producerEpoch: this.#epoch }
  }

  /** One step after the other; a failed one breaks the producer, and those behind it fail as well. */
  #serially<T>(what: string, step: () => Promise<T>): Promise<T> {
    const run = this.#last.then(async () => {
      if (this.#broken !== null) throw this.#broken
      try {
        return await step()
      } catch (error) {
        this.#broken ??= asTransactionError(
          error,
          `${what} under transactional id ${this.#options.transactionalId} failed`,
        )
        throw this.#broken
      }
    })
    this.#last = run.catch(() => undefined)
    return run
  }

  async #addPartitions(places: readonly Place[]): Promise<void> {
    const added = places.filter((place) => !this.#inTransaction.has(placeKey(place)))
    if (added.length === 0) return
    const topics = [...Map.groupBy(added, ({ topic }) => topic)].map(([topic, of]) => ({
      topic,
      partitions: of.map(({ partition }) => partition),
    }))
    // What an unanswered request has added is ended as well.
    for (const place of added) this.#inTransaction.add(placeKey(place))
    await this.#ask((coordinator) => requestAddPartitions(coordinator, { ...this.#identity, topics }))
  }

  #ask<T>(request: (coordinator: KafkajsBroker) => Promise<T>): Promise<T> {
    const { cluster, transactionalId } = this.#options
    return askCoordinator(cluster, this.#pool, 'transaction', transactionalId, request)
  }
}

/** Asks a coordinator, and again as long as the answer is that nothing was done. */
async function askCoordinator<T>(
  cluster: KafkaCluster,
  pool: BrokerPool,
  kind: CoordinatorKind,
  id: string,
  request: (coordinator: KafkajsBroker) => Promise<T>,
): Promise<T> {
  const { clock, connection } = cluster
  const isConcurrent = (error: unknown): boolean => brokerCode(error) === kafkaError.concurrentTransactions
  const attempt = async (): Promise<T> => {
    const coordinator = await cluster.coordinatorBroker(kind, id, pool)
    try {
      return await request(coordinator)
    } catch (error) {
      if (!isConcurrent(error)) cluster.forgetCoordinator(kind, id)
      throw error
    }
  }
  return retry({ ...concurrentRetries, clock, forMs: connection.requestTimeoutMs }, attempt, (error) => {
    if (error instanceof TidemarkError) return false
    const code = brokerCode(error)
    return isConcurrent(error) || (code !== null && coordinatorMoved.has(code) && movedRetryMs)
  })
}

function timeoutRefused(transactionTimeoutMs: number, cause: unknown): TidemarkError {
  return new TidemarkError(
    'invalid-setting',
    `The transaction timeout of ${String(transactionTimeoutMs)} ms, which follows from the checkpoint settings, is above what the brokers allow (${describeCode(kafkaError.invalidTransactionTimeout)}): shorten checkpoint.interval.ms, checkpoint.min.pause.ms or checkpoint.timeout.ms, or raise transaction.max.timeout.ms on the brokers`,
    { cause },
  )
}

function placeKey({ topic, partition }: Place): string {
  return `${topic}/${String(partition)}`
}
