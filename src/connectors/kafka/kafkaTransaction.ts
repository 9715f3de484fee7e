import { TidemarkError, messageOf } from '../../core/errors.ts'
import { recordBytes, type OutputRecord } from '../../core/record.ts'
import type { CommitMetadata, Positions } from '../../core/task.ts'
import type { ChangelogEntry, EpochTransaction, Guarantee } from '../../core/taskLog.ts'
import { brokerCode, lostTransaction } from './kafkaErrors.ts'
import { offsetMetadata, type OwnFacts } from './offsetMetadata.ts'
import type { PlainProducer } from './plainProducer.ts'
import { tooLarge } from './protocol/errorCodes.ts'
import { BatchCollector, type Partitioner, type PlacedBatch } from './recordPlacement.ts'
import type { OffsetWithMetadata, TaskProducer } from './taskProducer.ts'
import type { KnownTopic, TopicDirectory } from './topicDirectory.ts'

/** What a transaction needs of its task. */
export interface TransactionOwner {
  readonly partition: number
  readonly groupId: string
  readonly topics: TopicDirectory
  readonly partitioner: Partitioner
  readonly changelogTopic: string
  /** Null when the task's identity is lost: such a transaction can only fail. */
  readonly producer: TaskProducer | null
  /** For at-least-once sinks, which are waited for. */
  readonly plain: PlainProducer
  /** For sinks without guarantee, which are not. */
  readonly loose: PlainProducer
  /** Where the changelog ends after the last commit. */
  readonly changelogEnd: number
  readonly nowMs: number
  /** What is committed of each input beside the metadata, as of now. */
  facts(): ReadonlyMap<string, OwnFacts>
  committed(changelogEnd: number): void
  /** What a sink without guarantee has lost. */
  dropped(batch: PlacedBatch, error: unknown): void
}

/** A sink without guarantee is not waited for, so what it cannot get rid of is dropped from here on. */
const maxLooseBytes = 16 * 1024 * 1024

/** What a sink refuses by itself where it knows the topic: a record too large for it, a partition it does not have. */
const refusedByTopic: ReadonlySet<string> = new Set(['record-too-large', 'invalid-argument'])

type State = 'open' | 'prepared' | 'committing' | 'committed' | 'ended'

/** Which state may follow which. `ended`: aborted, or refused. */
const transitions: Readonly<Record<State, readonly State[]>> = {
  open: ['prepared', 'ended'],
  prepared: ['committing', 'ended'],
  committing: ['committed', 'ended'],
  committed: [],
  ended: ['ended'],
}

/**
 * One epoch attempt in Kafka. Records go into batches as they come; full batches are sent while the epoch runs, in the
 * task's transaction or, for weaker guarantees, outside of it. Nothing exists at the broker until the first batch or the
 * offsets are sent.
 *
 * Memory: the encoded records that are not yet acknowledged, which the epoch's byte limit bounds, and 16 MiB of sinks
 * without guarantee.
 */
export class KafkaTransaction implements EpochTransaction {
  readonly #owner: TransactionOwner
  readonly #batches: Readonly<Record<Guarantee, BatchCollector>>
  /** Records of topics that are being looked up. */
  #unplaced: { readonly record: OutputRecord; readonly guarantee: Guarantee }[] = []
  readonly #sends = new Set<Promise<unknown>>()
  #failure: TidemarkError | null = null
  #bytes = 0
  #changelogEnd: number
  #state: State = 'open'
  readonly #givenUp = (): boolean => this.#state === 'ended'

  constructor(owner: TransactionOwner) {
    this.#owner = owner
    this.#changelogEnd = owner.changelogEnd
    const collector = (guarantee: Guarantee): BatchCollector =>
      new BatchCollector((batch) => {
        this.#send(batch, guarantee)
      })
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
    if (this.#state !== 'open') throw this.#illegal('send a record')
    this.#bytes += recordBytes(record)
    const topic = this.#owner.topics.find(record.topic)
    if (topic === undefined || this.#unplaced.length > 0) {
      this.#owner.topics.request(record.topic)
      this.#unplaced.push({ record, guarantee })
    } else this.#place(record, guarantee, topic)
  }

  async prepare(entries: readonly ChangelogEntry[]): Promise<number> {
    this.#become('prepared')
    await this.#placeTheRest()
    const changelog = await this.#changelogBatches(entries)
    const batches = this.#batches['exactly-once'].take()
    const producer = this.#producer()
    if (batches.length + changelog.length > 0) await producer.addPartitions([...batches, ...changelog])
    for (const guarantee of ['none', 'at-least-once'] as const) {
      for (const batch of this.#batches[guarantee].take()) this.#send(batch, guarantee)
    }
    for (const batch of batches) this.#send(batch, 'exactly-once')
    await Promise.all(this.#sends)
    if (this.#failure !== null) throw this.#failure
    for (const batch of changelog) {
      this.#changelogEnd = (await producer.append(batch, batch.builder, this.#givenUp)) + batch.builder.count
    }
    return this.#changelogEnd
  }

  async commit(positions: Positions, metadata: CommitMetadata): Promise<void> {
    this.#become('committing')
    const producer = this.#producer()
    const { partition, groupId } = this.#owner
    const texts = offsetMetadata([...positions.keys()], metadata, this.#owner.facts())
    const offsets: OffsetWithMetadata[] = [...positions].map(([topic, offset]) => ({
      topic,
      partition,
      offset,
      metadata: texts.get(topic) ?? '',
    }))
    await producer.sendOffsets(groupId, offsets)
    // Given up meanwhile: the producer is thrown away, and what it would commit is nobody's any more.
    if (this.#state !== 'committing')
      throw lostTransaction('The commit failed', new Error('it was given up before its end'))
    await producer.end('commit')
    this.#become('committed')
    this.#owner.committed(this.#changelogEnd)
  }

  async abort(): Promise<void> {
    const was = this.#state
    if (was === 'committed' || was === 'ended') return
    this.#state = 'ended'
    const { producer } = this.#owner
    if (producer === null || producer.broken !== null) return
    if (was === 'committing') {
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
    this.#batches[guarantee].add(record, topic, this.#owner.partitioner.partitionOf(record, topic))
  }

  async #placeTheRest(): Promise<void> {
    const unplaced = this.#unplaced
    this.#unplaced = []
    for (const { record, guarantee } of unplaced) {
      const topic = await this.#owner.topics.loaded(record.topic)
      try {
        this.#place(record, guarantee, topic)
      } catch (error) {
        if (!(error instanceof TidemarkError && refusedByTopic.has(error.code))) throw error
        // Its limits were not known yet; when the epoch is replayed they are, and the sink refuses the record.
        throw lostTransaction(`The limits of topic ${topic.name} became known`, error)
      }
    }
  }

  async #changelogBatches(entries: readonly ChangelogEntry[]): Promise<readonly PlacedBatch[]> {
    const { changelogTopic, partition, topics, nowMs } = this.#owner
    if (entries.length === 0) return []
    const topic = await topics.loaded(changelogTopic)
    const batches: PlacedBatch[] = []
    const collector = new BatchCollector((batch) => batches.push(batch))
    for (const { key, value } of entries) {
      const record: OutputRecord = { topic: changelogTopic, partition, key, value, headers: [], timestamp: nowMs }
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
    if (guarantee === 'none') {
      if (loose.waitingBytes >= maxLooseBytes) this.#owner.dropped(batch, new Error('too much of it is waiting'))
      else {
        loose.append(batch, batch.builder).catch((error: unknown) => {
          this.#owner.dropped(batch, error)
        })
      }
      return
    }
    if (producer === null || this.#failure !== null) return
    const sent =
      guarantee === 'exactly-once'
        ? producer.append(batch, batch.builder, this.#givenUp)
        : plain.append(batch, batch.builder)
    const send = sent.catch((error: unknown) => this.#failed(batch, error)).finally(() => this.#sends.delete(send))
    this.#sends.add(send)
  }

  async #failed({ topic }: PlacedBatch, error: unknown): Promise<void> {
    const code = brokerCode(error)
    this.#failure ??= error instanceof TidemarkError ? error : lostTransaction(`Sending to ${topic} failed`, error)
    // The limit was changed while we run: the replay finds the new one.
    if (code !== null && tooLarge.has(code)) await this.#owner.topics.load([topic]).catch(() => undefined)
  }

  #producer(): TaskProducer {
    const { producer } = this.#owner
    if (producer !== null) return producer
    throw lostTransaction('The transaction cannot commit', new Error('the task was not fenced, or lost its identity'))
  }

  #become(state: State): void {
    if (!transitions[this.#state].includes(state)) throw this.#illegal(`be ${state}`)
    this.#state = state
  }

  #illegal(what: string): TidemarkError {
    return new TidemarkError('broken-invariant', `A transaction that is ${this.#state} cannot ${what}`)
  }
}

function stateTooLarge(topic: string, bytes: number, cause: unknown): TidemarkError {
  return new TidemarkError(
    'state-too-large',
    `A state value of ${String(bytes)} bytes exceeds what changelog ${topic} takes: ${messageOf(cause)}`,
    { cause, details: { topic, bytes } },
  )
}
