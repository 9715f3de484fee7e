import type { Clock } from '../../../core/ports/clock.ts'
import { readCommitMetadata } from '../../../core/commitMetadata.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { LearntRefusals } from '../../../core/learntRefusals.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { taskTransactionalId } from '../../../core/ownNames.ts'
import { outputRefusal } from '../../../core/outputRefusal.ts'
import { Partitioner } from '../../../core/partitioner.ts'
import type { OutputRecord, RecordPosition } from '../../../core/record.ts'
import type { CommitMetadata, Positions, TaskId } from '../../../core/ports/task.ts'
import type {
  ChangelogEntry,
  CommittedOffset,
  EpochTransaction,
  OffsetRange,
  TaskLog,
} from '../../../core/ports/taskLog.ts'
import { visibleRange } from '../../../core/visibleRange.ts'
import { isDiscovered } from '../group/discovered.ts'
import type { Fetcher } from '../read/fetcher.ts'
import { inputGoneInKafka, isGone } from './inputTopics.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { unreachable } from '../client/kafkaErrors.ts'
import { KafkaReader, defaultReadAhead, type ReadAhead } from '../read/kafkaReader.ts'
import { KafkaTransaction } from '../write/kafkaTransaction.ts'
import { wholeMetadata, type OwnFacts } from './offsetMetadata.ts'
import { readCommittedOffsets, readGroupOffsets } from '../group/groupOffsets.ts'
import { readOffsetAtTime, readRange, readUndecided, readWrittenEnd } from '../read/partitionOffsets.ts'
import { PlainProducer } from '../write/plainProducer.ts'
import type { CompressionType } from '../protocol/compression.ts'
import type { ReadBudget } from '../read/readBudget.ts'
import { readPartition } from '../read/readPartition.ts'
import { refusalBySettings } from '../write/recordRefusals.ts'
import { TaskProducer } from '../write/taskProducer.ts'
import type { TopicDirectory } from '../client/topicDirectory.ts'

/** What the tasks of one process share. */
export interface TaskLogShared {
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Logger
  readonly topics: TopicDirectory
  readonly fetcher: Fetcher
  readonly budget: ReadBudget
  readonly groupId: string
  readonly changelogTopic: string
  /** Topics in which the job keeps what is its own: no sink writes there. */
  readonly ownTopics: ReadonlySet<string>
  /** Topics that the plan names; others are chosen by records. */
  readonly outputs: ReadonlySet<string>
  readonly transactionalIdPrefix: string
  readonly transactionTimeoutMs: number
  readonly compression: CompressionType
  readonly readAhead?: Partial<ReadAhead>
  /** Where what cannot be read of the inputs is to be passed. */
  readonly skips: readonly RecordPosition[]
  /** Told of an input that does not exist; true: the tasks will be dealt out without it. */
  missing(topic: string): boolean
  /**
   * Resolves when the group has just confirmed that the task is this process's; rejects when it is not, or nobody answers.
   * Without it a process that was declared dead would take its tasks back from their new owners.
   */
  confirm(partition: number): Promise<void>
}

/** Which task a log is for. */
export interface KafkaTaskSpec {
  readonly task: TaskId
  /** Topics that have the task's partition. */
  readonly topics: readonly string[]
}

/** Kafka as one task sees it. */
export class KafkaTaskLog implements TaskLog {
  readonly partition: number
  readonly topics: readonly string[]
  readonly #shared: TaskLogShared
  readonly #task: TaskId
  readonly #readAhead: ReadAhead
  readonly #partitioner: Partitioner
  readonly #refusals = new LearntRefusals()
  #producer: TaskProducer | null = null
  #plain: { readonly guaranteed: PlainProducer; readonly loose: PlainProducer } | null = null
  #reader: KafkaReader | null = null
  #held = false
  /** Of the topics that are read, as of the last `committed`. */
  #topicIds = new Map<string, string>()
  /** Of the committed positions. */
  #leaderEpochs: ReadonlyMap<string, number> = new Map()
  #changelogEnd = 0
  /** The wall clock when the last transaction was begun. */
  #beganMs: number
  #closed = false

  constructor(shared: TaskLogShared, { task, topics }: KafkaTaskSpec) {
    this.partition = task.partition
    this.topics = topics
    this.#shared = shared
    this.#task = task
    this.#readAhead = { ...defaultReadAhead, ...shared.readAhead }
    this.#partitioner = new Partitioner(() => task.partition)
    this.#beganMs = shared.clock.now()
  }

  get lost(): boolean {
    return this.#producer === null || this.#producer.broken !== null
  }

  async fence(): Promise<void> {
    const { transactionalIdPrefix } = this.#shared
    await this.#shared.confirm(this.partition)
    await this.#dropProducer('The task is fenced again')
    const producer = await this.#fenced(transactionalIdPrefix)
    if (this.#closed) {
      await producer.discard('The task has ended')
      throw new TidemarkError(
        'system-unreachable',
        `Partition ${String(this.partition)} was given up while it was fenced`,
      )
    }
    this.#producer = producer
  }

  async fenceEarlier(transactionalIdPrefix: string): Promise<void> {
    await (await this.#fenced(transactionalIdPrefix)).discard('Fenced for another prefix')
  }

  async committed(): Promise<ReadonlyMap<string, CommittedOffset>> {
    const found = await this.#readCommitted()
    this.#leaderEpochs = new Map(
      [...found].flatMap(([topic, { leaderEpoch }]) => (leaderEpoch === undefined ? [] : [[topic, leaderEpoch]])),
    )
    await this.#lookTopicsUp()
    const ends = metadataOf(found).map(({ changelogEnd }) => changelogEnd)
    this.#changelogEnd = Math.max(0, ...ends)
    return found
  }

  topicId(topic: string): string | null {
    return this.#topicIds.get(topic) ?? null
  }

  undecided(topic: string): Promise<number> {
    return readUndecided(this.#shared.cluster, topic, this.partition)
  }

  /** One that the job keeps for itself is none that it reads; an earlier version may have read it. */
  async exists(topic: string): Promise<boolean> {
    return !this.#shared.ownTopics.has(topic) && !(await isGone(this.#shared.cluster, topic))
  }

  async range(topic: string): Promise<OffsetRange> {
    const { cluster } = this.#shared
    try {
      return await readRange(cluster, topic, this.partition)
    } catch (error) {
      if (!(error instanceof TidemarkError && error.code === 'unknown-topic')) throw error
      if (!this.#shared.missing(topic)) throw inputGoneInKafka(topic)
      throw unreachable(`Topic ${topic} was deleted; the tasks are dealt out without it`, error)
    }
  }

  async offsetAtTime(topic: string, timestampMs: number): Promise<number> {
    const { end } = await this.range(topic)
    const found = await readOffsetAtTime(this.#shared.cluster, topic, this.partition, timestampMs)
    return found === null ? end : Math.min(found, end)
  }

  read(positions: Positions, ends: Positions | null): KafkaReader {
    this.#reader?.close()
    const { fetcher, budget, log } = this.#shared
    this.#reader = new KafkaReader({
      partition: this.partition,
      positions,
      ends,
      topicIds: this.#topicIds,
      leaderEpochs: this.#leaderEpochs,
      fetcher,
      budget,
      readAhead: this.#readAhead,
      skips: this.#shared.skips.filter(({ partition }) => partition === this.partition),
      log,
    })
    if (this.#held) this.#reader.hold()
    return this.#reader
  }

  begin(): EpochTransaction {
    const { clock, cluster, compression, topics, groupId, changelogTopic, log } = this.#shared
    const producer = this.lost ? null : this.#producer
    this.#beganMs = clock.now()
    this.#plain ??= {
      guaranteed: new PlainProducer(cluster, compression),
      loose: new PlainProducer(cluster, compression),
    }
    return new KafkaTransaction({
      partition: this.partition,
      groupId,
      topics,
      partitioner: this.#partitioner,
      changelogTopic,
      producer,
      plain: this.#plain.guaranteed,
      loose: this.#plain.loose,
      changelogEnd: this.#changelogEnd,
      facts: () => this.#ownFacts(),
      nowMs: this.#beganMs,
      compression,
      refusals: this.#refusals,
      isPlanned: (topic) => this.#isPlanned(topic),
      committed: (changelogEnd) => {
        this.#changelogEnd = changelogEnd
        this.#refusals.forget()
      },
      dropped: (topic, records, error) => {
        log.warn('Records of a sink without guarantee were lost', { topic, partition: this.partition, records, error })
      },
    })
  }

  /** By the topic's settings, as far as they are known, and by what the brokers have said in this stretch. */
  refusal(record: OutputRecord): TidemarkError | null {
    const { topics, compression, ownTopics } = this.#shared
    const { topic: name } = record
    if (ownTopics.has(name)) return outputRefusal.ownTopic(name)
    const topic = topics.find(name)
    if (topic === undefined) {
      const refused = this.#isPlanned(name) ? undefined : topics.refusal(name)
      if (refused !== undefined) return outputRefusal.noTopic(name, refused)
      topics.request(name)
      return this.#refusals.find(record)
    }
    const refusal = refusalBySettings(record, topic, compression, this.#beganMs)
    // What speaks against it may have gone since the topic was looked up: a limit was raised, a partition added.
    if (refusal !== null && refusal.details['nowFits'] !== false) topics.refresh(name)
    return refusal ?? this.#refusals.find(record)
  }

  async discovered(topic: string): Promise<boolean> {
    const { cluster, groupId } = this.#shared
    return isDiscovered(await readGroupOffsets(cluster, groupId), { topic, partition: this.partition })
  }

  /** Reaches at least as far as what is known to be committed. */
  changelogRange(): Promise<OffsetRange> {
    const { cluster, changelogTopic, clock } = this.#shared
    return visibleRange(clock, this.#changelogEnd, {
      range: () => readRange(cluster, changelogTopic, this.partition),
      writtenEnd: () => readWrittenEnd(cluster, changelogTopic, this.partition),
    })
  }

  async *readChangelog(from: number, to: number): AsyncGenerator<readonly ChangelogEntry[], void> {
    // Behind the last commit stands its marker.
    if (from >= this.#changelogEnd && to <= this.#changelogEnd + 1 && from > 0) return
    const { start, end } = await this.changelogRange()
    for await (const records of this.#readChangelogRecords(Math.max(start, from), Math.min(to, end))) {
      yield records.map(({ key, raw }) => ({ key: this.#requiredKey(key), value: raw }))
    }
  }

  /** Kafka compacts by itself. Entries of older generations are never read, and stay until the topic is deleted. */
  compactChangelog(_keep: (key: Buffer) => boolean): Promise<void> {
    return Promise.resolve()
  }

  /** The group rebalances: what the task has under way may go on, and no new epoch begins. */
  hold(): void {
    this.#held = true
    this.#reader?.hold()
  }

  release(): void {
    this.#held = false
    this.#reader?.release()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#reader?.close()
    this.#reader = null
    const plain = this.#plain === null ? [] : [this.#plain.guaranteed, this.#plain.loose]
    await Promise.all([this.#dropProducer('The task has ended'), ...plain.map((producer) => producer.close())])
  }

  #isPlanned(topic: string): boolean {
    return this.#shared.outputs.has(topic) || this.#shared.ownTopics.has(topic)
  }

  async #dropProducer(reason: string): Promise<void> {
    const producer = this.#producer
    this.#producer = null
    await producer?.discard(reason)
  }

  #fenced(prefix: string): Promise<TaskProducer> {
    const { cluster, transactionTimeoutMs, compression } = this.#shared
    const transactionalId = taskTransactionalId(prefix, this.#task)
    return TaskProducer.fence({ cluster, transactionalId, transactionTimeoutMs, compression })
  }

  async #readCommitted(): Promise<ReadonlyMap<string, CommittedOffset>> {
    const { cluster, groupId } = this.#shared
    const inputs = this.topics.map((topic) => ({ topic, partition: this.partition }))
    // A look before the fence must not wait for what only the fence decides: the transaction of an owner that was killed.
    const found = await readCommittedOffsets(cluster, groupId, inputs, { stable: !this.lost })
    return wholeMetadata(new Map(found.map(({ topic, offset, metadata }) => [topic, { offset, metadata }])))
  }

  /** From here on these topics are meant, not whichever has their name. */
  async #lookTopicsUp(): Promise<void> {
    const { topics } = await this.#shared.cluster.metadata(this.topics)
    this.#topicIds = new Map(topics.flatMap(({ topic, id }) => (id === null ? [] : [[topic, id]])))
  }

  #ownFacts(): ReadonlyMap<string, OwnFacts> {
    const leaderEpochs = this.#reader?.leaderEpochs() ?? this.#leaderEpochs
    return new Map(
      this.topics.map((topic) => {
        const [topicId, leaderEpoch] = [this.#topicIds.get(topic), leaderEpochs.get(topic)]
        return [
          topic,
          { ...(topicId === undefined ? {} : { topicId }), ...(leaderEpoch === undefined ? {} : { leaderEpoch }) },
        ]
      }),
    )
  }

  #readChangelogRecords(from: number, to: number): ReturnType<typeof readPartition> {
    const { fetcher, changelogTopic } = this.#shared
    return readPartition(fetcher, { topic: changelogTopic, partition: this.partition }, from, to)
  }

  #requiredKey(key: Buffer | null): Buffer {
    if (key !== null) return key
    throw new TidemarkError(
      'corrupt-store',
      `Changelog ${this.#shared.changelogTopic} has a record without a key: something else writes it`,
    )
  }
}

/** Of the offsets whose text is ours; what another one means is the runtime's to say. */
function metadataOf(committed: ReadonlyMap<string, CommittedOffset>): readonly CommitMetadata[] {
  return [...committed.values()].flatMap(({ metadata }) => readCommitMetadata(metadata) ?? [])
}
