import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { outputRefusal, RecordsRefused } from '../../../core/outputRefusal.ts'
import type { Partitioner } from '../../../core/partitioner.ts'
import { recordBytes, type OutputRecord } from '../../../core/record.ts'
import { TransactionPhases } from '../../../core/transactionPhases.ts'
import { offsetOf } from '../../../core/offsetPosition.ts'
import type { Positions } from '../../../core/ports/position.ts'
import type { CommitMetadata } from '../../../core/ports/task.ts'
import type { ChangelogEntry } from '../../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../../core/ports/commitLog.ts'
import type { Guarantee } from '../../../core/ports/outputs.ts'
import type { RefusedRecord } from './appendInParts.ts'
import { BrokerRefusal, brokerCode, lostTransaction, refusedTopics } from '../client/kafkaErrors.ts'
import type { KafkaChangelog } from '../log/kafkaChangelog.ts'
import type { KafkaInputs } from '../log/kafkaInputs.ts'
import type { KafkaOutputs } from '../log/kafkaOutputs.ts'
import { offsetMetadata } from '../log/offsetMetadata.ts'
import type { TaskLogShared } from '../log/taskLogShared.ts'
import type { PlainProducer } from './plainProducer.ts'
import { kafkaError, refusesTopic, batchTooLarge } from '../protocol/errorCodes.ts'
import { BatchCollector, type PlacedBatch } from './recordPlacement.ts'
import { refusalByBroker, refusalBySettings, showsOtherClock } from './recordRefusals.ts'
import type { OffsetWithMetadata, TaskProducer } from './taskProducer.ts'
import { unknownInKafka, type KnownTopic } from '../client/topicDirectory.ts'

/** What else a task's log has, which a commit is about. */
export interface CommittedParts {
  readonly inputs: KafkaInputs
  readonly changelog: KafkaChangelog
  readonly outputs: KafkaOutputs
}

/** What a transaction needs of its task. */
export interface KafkaTransactionOptions
  extends Pick<TaskLogShared, 'groupId' | 'topics' | 'changelogTopic' | 'compression' | 'log'>, CommittedParts {
  readonly partition: number
  readonly partitioner: Partitioner
  /** Null when the task's identity is lost: such a transaction can only fail. */
  readonly producer: TaskProducer | null
  /** For at-least-once sinks, which are waited for. */
  readonly plain: PlainProducer
  /** For sinks without guarantee, which are not. */
  readonly loose: PlainProducer
}

/** A sink without guarantee is not waited for, so what it cannot get rid of is dropped from here on. */
const maxLooseBytes = 16 * 1024 * 1024

/** A topic of the plan that is missing for so long is gone; before that, brokers may be starting. */
const goneMs = 30_000

/**
 * One epoch attempt in Kafka. Records go into batches as they come; full batches are sent while the epoch runs, in the
 * task's transaction or, for weaker guarantees, outside of it. Nothing exists at the broker until the first batch or the
 * offsets are sent.
 *
 * Memory: the encoded records that are not yet acknowledged, which the epoch's byte limit bounds, and 16 MiB of sinks
 * without guarantee.
 */
export class KafkaTransaction implements EpochTransaction {
  readonly #owner: KafkaTransactionOptions
  readonly #batches: Readonly<Record<Guarantee, BatchCollector>>
  /** Records of topics that are being looked up. */
  #unplaced: { readonly record: OutputRecord; readonly guarantee: Guarantee }[] = []
  readonly #sends = new Set<Promise<unknown>>()
  #failure: TidemarkError | null = null
  /** Why the first record was refused of those that were, and how many were. */
  #refusal: TidemarkError | null = null
  #refused = 0
  /** Topics that were looked up again after a refusal. */
  readonly #looked = new Map<string, Promise<unknown>>()
  #bytes = 0
  #changelogEnd: number
  readonly #nowMs: number
  readonly #phases = new TransactionPhases()
  readonly #givenUp = (): boolean => this.#phases.current === 'ended'

  constructor(owner: KafkaTransactionOptions) {
    this.#owner = owner
    this.#changelogEnd = owner.changelog.committedEnd
    this.#nowMs = owner.outputs.beganMs
    const collector = (guarantee: Guarantee): BatchCollector =>
      new BatchCollector((batch) => {
        this.#send(batch, guarantee)
      }, owner.compression)
    this.#batches = {
      'exactly-once': collector('exactly-once'),
      'at-least-once': collector('at-least-once'),
      none: collector('none'),
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  send(record: OutputRecord, guarantee: Guarantee): void {
    this.#phases.assertOpen()
    this.#bytes += recordBytes(record)
    const topic = this.#owner.topics.find(record.topic)
    if (topic === undefined || this.#unplaced.length > 0) {
      this.#owner.topics.request(record.topic)
      this.#unplaced.push({ record, guarantee })
    } else this.#place(record, guarantee, topic)
  }

  async prepare(entries: readonly ChangelogEntry[]): Promise<number> {
    this.#phases.enter('prepared')
    await this.#placeTheRest()
    const changelog = await this.#changelogBatches(entries)
    const batches = this.#batches['exactly-once'].take()
    const producer = this.#producer()
    if (batches.length + changelog.length > 0) {
      await producer.addPartitions([...batches, ...changelog]).catch(async (error: unknown) => {
        throw await this.#explained(error, [])
      })
    }
    for (const guarantee of ['none', 'at-least-once'] as const) {
      for (const batch of this.#batches[guarantee].take()) this.#send(batch, guarantee)
    }
    for (const batch of batches) this.#send(batch, 'exactly-once')
    await Promise.all(this.#sends)
    if (this.#failure !== null) throw this.#failure
    if (this.#refusal !== null) throw new RecordsRefused(this.#refusal, this.#refused)
    for (const batch of changelog) {
      const { end, refused } = await producer.append(batch, this.#givenUp)
      for (const each of refused) throw stateRefused(batch.topic, each)
      this.#changelogEnd = end
    }
    return this.#changelogEnd
  }

  async commit(positions: Positions, metadata: CommitMetadata): Promise<void> {
    this.#phases.enter('committing')
    const producer = this.#producer()
    const { partition, groupId } = this.#owner
    const texts = offsetMetadata([...positions.keys()], metadata, this.#owner.inputs.facts())
    const offsets: OffsetWithMetadata[] = [...positions].map(([topic, position]) => ({
      topic,
      partition,
      offset: offsetOf(position),
      metadata: texts.get(topic) ?? '',
    }))
    await producer.sendOffsets(groupId, offsets)
    // Given up meanwhile: the producer is thrown away, and what it would commit is nobody's any more.
    if (this.#givenUp()) throw lostTransaction('The commit failed', new Error('it was given up before its end'))
    await producer.end('commit')
    this.#phases.enter('committed')
    this.#owner.changelog.committedEnd = this.#changelogEnd
    this.#owner.outputs.learnt.forget()
  }

  async abort(): Promise<void> {
    const before = this.#phases.giveUp()
    if (before === 'committed' || before === 'ended') return
    const { producer } = this.#owner
    if (producer === null || producer.broken !== null) return
    if (before === 'committing') {
      await producer.discard('A commit was given up while its outcome was unknown')
      return
    }
    try {
      await producer.end('abort')
    } catch {
      // The producer is broken now, which the task sees; its next fence ends the transaction.
    }
  }

  #place(record: OutputRecord, guarantee: Guarantee, topic: KnownTopic): void {
    this.#batches[guarantee].add(record, topic, this.#owner.partitioner.partitionOf(record, topic.partitions))
  }

  /** Those of topics that were not known. What is known of them now may speak against a record. */
  async #placeTheRest(): Promise<void> {
    const { topics, compression, outputs } = this.#owner
    const unplaced = this.#unplaced
    this.#unplaced = []
    const unknown = new Set(
      unplaced.map(({ record }) => record.topic).filter((name) => topics.find(name) === undefined),
    )
    await topics.look([...unknown])
    for (const { record, guarantee } of unplaced) {
      const topic = topics.find(record.topic)
      if (topic === undefined) {
        const error = topics.refusal(record.topic) ?? unknownInKafka(record.topic)
        if (outputs.isPlanned(record.topic)) throw error
        this.#refuse(record, guarantee, outputRefusal.noTopic(record.topic, error))
        continue
      }
      const refusal = refusalBySettings(record, topic, compression, this.#nowMs)
      if (refusal === null) this.#place(record, guarantee, topic)
      else this.#refuse(record, guarantee, refusal)
    }
  }

  #refuse(record: OutputRecord, guarantee: Guarantee, error: TidemarkError): void {
    if (guarantee === 'none') {
      this.#dropped(record.topic, 1, error)
      return
    }
    this.#owner.outputs.learnt.learn(record, error)
    this.#refusal ??= error
    this.#refused += 1
  }

  async #changelogBatches(entries: readonly ChangelogEntry[]): Promise<readonly PlacedBatch[]> {
    const { changelogTopic, partition, topics } = this.#owner
    if (entries.length === 0) return []
    const topic = await topics.loaded(changelogTopic)
    const batches: PlacedBatch[] = []
    const collector = new BatchCollector((batch) => batches.push(batch))
    for (const { key, value } of entries) {
      const record: OutputRecord = { topic: changelogTopic, partition, key, value, headers: [], timestamp: this.#nowMs }
      try {
        collector.add(record, topic, partition)
      } catch (error) {
        throw stateTooLarge(changelogTopic, recordBytes(record), error)
      }
    }
    return [...batches, ...collector.take()]
  }

  /** Sends a batch beside the epoch; `prepare` waits for it, and finds its error. */
  #send(batch: PlacedBatch, guarantee: Guarantee): void {
    const { producer, plain, loose } = this.#owner
    const { topic, builder } = batch
    if (guarantee === 'none') {
      if (loose.waitingBytes >= maxLooseBytes) {
        this.#dropped(topic, builder.count, new Error('too much of it is waiting'))
        return
      }
      loose.append(batch).then(
        ({ refused }) => {
          const [first] = refused
          if (first !== undefined)
            this.#dropped(topic, refused.length, refusalByBroker(topic, first, this.#owner.topics.find(topic)))
        },
        (error: unknown) => {
          this.#dropped(topic, builder.count, error)
        },
      )
      return
    }
    if (producer === null || this.#failure !== null) return
    const { changelogTopic, partition } = this.#owner
    const sent =
      guarantee === 'exactly-once'
        ? producer.append(batch, this.#givenUp, [{ topic: changelogTopic, partition }])
        : plain.append(batch)
    const send = sent
      .then(({ refused }) => this.#refusedByBroker(topic, guarantee, refused))
      .catch(async (error: unknown) => {
        const failure = await this.#explained(error, [topic])
        this.#failure ??= failure
      })
      .finally(() => this.#sends.delete(send))
    this.#sends.add(send)
  }

  /** The topic's settings may have changed; the replay shall know them, and these records. */
  async #refusedByBroker(topic: string, guarantee: Guarantee, refused: readonly RefusedRecord[]): Promise<void> {
    if (refused.length === 0) return
    const { topics } = this.#owner
    let looking = this.#looked.get(topic)
    if (looking === undefined) {
      looking = topics.load([topic]).catch(() => undefined)
      this.#looked.set(topic, looking)
    }
    await looking
    for (const each of refused) {
      if (showsOtherClock(each, this.#nowMs)) topics.hasOtherClock(topic)
      const record = { topic, partition: null, ...each.record }
      this.#refuse(record, guarantee, refusalByBroker(topic, each, topics.find(topic)))
    }
  }

  /**
   * What the failure of a send or of adding partitions means. A topic that a record has chosen and that cannot be written
   * concerns its records only: it is noted, and the replay refuses them. One of the plan concerns the job.
   */
  async #explained(error: unknown, topics: readonly string[]): Promise<TidemarkError> {
    const failure = error instanceof TidemarkError ? error : lostTransaction('Sending failed', error)
    const code = brokerCode(error)
    // Nobody answers for a topic that is not there.
    const isMissing = code === kafkaError.unknownTopicOrPartition || (code === null && failure.kind === 'unreachable')
    if (!isMissing && (code === null || !refusesTopic.has(code))) return failure
    const refused = refusedTopics(error) ?? topics
    const { topics: directory, outputs } = this.#owner
    const chosen = refused.filter((name) => !outputs.isPlanned(name))
    try {
      // A broker that starts may not know a topic yet, and another one does.
      if (isMissing) await directory.look(chosen)
      else for (const name of chosen) directory.refuse(name, failure)
      const gone = isMissing ? await directory.missing(refused.filter((name) => outputs.isPlanned(name))) : null
      if (gone !== null && gone.sinceMs >= goneMs) return gone.error
    } catch {
      // Nobody says more about it now.
    }
    const unusable = chosen.filter((name) => directory.refusal(name) !== undefined)
    if (unusable.length < refused.length) return failure
    return lostTransaction(`A topic that records have chosen cannot be written (${unusable.join(', ')})`, error)
  }

  /** What a sink without guarantee has lost. */
  #dropped(topic: string, records: number, error: unknown): void {
    const { log, partition } = this.#owner
    log.warn('Records of a sink without guarantee were lost', { topic, partition, records, error })
  }

  #producer(): TaskProducer {
    const { producer } = this.#owner
    if (producer !== null) return producer
    throw lostTransaction('The transaction cannot commit', new Error('the task was not fenced, or lost its identity'))
  }
}

function stateRefused(topic: string, refused: RefusedRecord): TidemarkError {
  const bytes = recordBytes(refused.record)
  const cause = new BrokerRefusal(refused.code, 'Kafka refuses it', refused.message)
  if (batchTooLarge.has(refused.code)) return stateTooLarge(topic, bytes, cause)
  return new TidemarkError('commit-failed', `Changelog ${topic} does not take a state value: ${cause.message}`, {
    cause,
    details: { topic },
  })
}

function stateTooLarge(topic: string, bytes: number, cause: unknown): TidemarkError {
  return new TidemarkError(
    'state-too-large',
    `A state value of ${String(bytes)} bytes exceeds what changelog ${topic} takes: ${messageOf(cause)}`,
    { cause, details: { topic, bytes } },
  )
}
