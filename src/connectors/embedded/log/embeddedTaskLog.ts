import { changelogEntry } from '../../../core/changelogRecords.ts'
import type { TidemarkError } from '../../../core/errors.ts'
import { changelogTopicName, ownTopicsOf } from '../../../core/ownNames.ts'
import { offsetFormat, offsetPosition, offsetPositions, offsetsBetween } from '../../../core/offsetPosition.ts'
import { outputRefusal } from '../../../core/outputRefusal.ts'
import type { ReadAhead } from '../../../core/pagedReader.ts'
import { recordBytes, type OutputRecord } from '../../../core/record.ts'
import type { ChangelogEntry, OffsetRange, TaskChangelog } from '../../../core/ports/changelog.ts'
import type { CommittedPosition, EpochTransaction, TaskCommitLog } from '../../../core/ports/commitLog.ts'
import type { TaskInputs, TaskReader } from '../../../core/ports/inputs.ts'
import type { TaskOutputs } from '../../../core/ports/outputs.ts'
import type { Position, PositionRange, Positions } from '../../../core/ports/position.ts'
import type { TaskId } from '../../../core/ports/task.ts'
import type { TaskLog } from '../../../core/ports/taskLog.ts'
import { compactChangelog } from '../store/changelogCompaction.ts'
import { getCommittedOffset } from '../store/committedOffsets.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { EmbeddedTaskReader } from './embeddedTaskReader.ts'
import { EmbeddedTransaction } from './embeddedTransaction.ts'
import { defaultMaxMessageBytes, type PartitionLog } from '../store/topic.ts'
import { findOffsetAtTime, readLogPage } from '../store/readLogPage.ts'
import { EmbeddedWriteAheadLog } from './embeddedWriteAheadLog.ts'
import type { FenceToken } from './taskFences.ts'

/** Which task of the store a log is for. */
export interface EmbeddedTaskSpec {
  readonly task: TaskId
  /** The consumer group whose offsets are committed. */
  readonly groupId: string
  /** Topics that have the task's partition. */
  readonly topics: readonly string[]
  readonly readAhead?: Partial<ReadAhead>
}

/**
 * The embedded log as one task sees it. Its changelog topic must exist before it is written: `EmbeddedJobLog` makes it.
 */
export class EmbeddedTaskLog implements TaskLog {
  readonly partition: number
  readonly inputs: EmbeddedInputs
  readonly commitLog: EmbeddedCommitLog
  readonly changelog: EmbeddedChangelog
  readonly outputs: EmbeddedOutputs
  readonly writeAheadLog: EmbeddedWriteAheadLog

  constructor(store: EmbeddedStore, spec: EmbeddedTaskSpec) {
    this.partition = spec.task.partition
    this.inputs = new EmbeddedInputs(store, spec)
    this.changelog = new EmbeddedChangelog(store, spec.task)
    this.outputs = new EmbeddedOutputs(store, ownTopicsOf(spec.task))
    this.writeAheadLog = new EmbeddedWriteAheadLog(store, spec.task)
    this.commitLog = new EmbeddedCommitLog(store, spec, this.changelog)
  }

  close(): Promise<void> {
    this.inputs.close()
    return Promise.resolve()
  }
}

/** Topics here neither grow, nor are they deleted but with the whole store and every committed offset in it. */
class EmbeddedInputs implements TaskInputs {
  readonly topics: readonly string[]
  readonly format = offsetFormat
  readonly #store: EmbeddedStore
  readonly #spec: EmbeddedTaskSpec
  #reader: TaskReader | null = null

  constructor(store: EmbeddedStore, spec: EmbeddedTaskSpec) {
    this.topics = spec.topics
    this.#store = store
    this.#spec = spec
  }

  topicId(): null {
    return null
  }

  async exists(topic: string): Promise<boolean> {
    return this.#store.topics.find(topic) !== undefined
  }

  /** Nothing is ever removed: `start` is always 0. */
  async range(topic: string): Promise<PositionRange> {
    return offsetPositions({ start: 0, end: this.#input(topic).end })
  }

  async lag(topic: string, from: Position, to = offsetPosition(this.#input(topic).end)): Promise<number> {
    return offsetsBetween(from, to)
  }

  async undecided(): Promise<number> {
    return 0
  }

  async discovered(): Promise<boolean> {
    return false
  }

  async positionAtTime(topic: string, timestampMs: number): Promise<Position> {
    return offsetPosition(await findOffsetAtTime(this.#store.storage, this.#input(topic), timestampMs))
  }

  read(positions: Positions, ends: Positions | null): TaskReader {
    this.close()
    const { storage } = this.#store
    const { readAhead } = this.#spec
    this.#reader = new EmbeddedTaskReader(storage, (topic) => this.#input(topic), positions, ends, readAhead)
    return this.#reader
  }

  close(): void {
    this.#reader?.close()
    this.#reader = null
  }

  #input(topic: string): PartitionLog {
    return this.#store.topics.partition(topic, this.#spec.task.partition)
  }
}

class EmbeddedCommitLog implements TaskCommitLog {
  readonly #store: EmbeddedStore
  readonly #spec: EmbeddedTaskSpec
  readonly #changelog: EmbeddedChangelog
  #token: FenceToken | null = null

  constructor(store: EmbeddedStore, spec: EmbeddedTaskSpec, changelog: EmbeddedChangelog) {
    this.#store = store
    this.#spec = spec
    this.#changelog = changelog
  }

  get lost(): boolean {
    return !this.#store.fences.holds(this.#spec.task, this.#token)
  }

  async fence(): Promise<void> {
    this.#token = await this.#store.fences.take(this.#spec.task, this.#store.writer)
  }

  /** Owners differ by their tokens, whatever their prefix. */
  fenceEarlier(): Promise<void> {
    return Promise.resolve()
  }

  async committed(): Promise<ReadonlyMap<string, CommittedPosition>> {
    const { task, groupId, topics } = this.#spec
    const found = new Map<string, CommittedPosition>()
    for (const topic of topics) {
      const place = { group: groupId, topic, partition: task.partition }
      const committed = getCommittedOffset(this.#store.storage, place)
      if (committed === undefined) continue
      found.set(topic, { position: offsetPosition(committed.offset), metadata: committed.metadata })
    }
    return found
  }

  begin(): EpochTransaction {
    const { task, groupId } = this.#spec
    const [store, changelog, token] = [this.#store, this.#changelog.partition, this.#token]
    return new EmbeddedTransaction({ store, task, groupId, changelog, token })
  }
}

class EmbeddedChangelog implements TaskChangelog {
  readonly topic: string
  readonly #store: EmbeddedStore
  readonly #task: TaskId

  constructor(store: EmbeddedStore, task: TaskId) {
    this.topic = changelogTopicName(task)
    this.#store = store
    this.#task = task
  }

  /** Looked up when it is used: a job that never ran has none yet, and its inputs may be looked at all the same. */
  get partition(): PartitionLog {
    return this.#store.topics.partition(this.topic, this.#task.partition)
  }

  /** Compaction leaves gaps and does not move the start. */
  async range(): Promise<OffsetRange> {
    return { start: 0, end: this.partition.end }
  }

  async *read(from: number, to: number): AsyncGenerator<readonly ChangelogEntry[], void> {
    let next = from
    while (next < Math.min(to, this.partition.end)) {
      const page = await readLogPage(this.#store.storage, this.partition, {
        from: next,
        until: to,
        maxBatches: 64,
        maxBytes: 1024 * 1024,
      })
      if (page.records.length > 0) yield page.records.map(changelogEntry)
      next = page.next
    }
  }

  compact(keep: (key: Buffer) => boolean): Promise<void> {
    return compactChangelog(this.#store.storage, this.partition, { keep, nowMs: this.#store.clock.now() })
  }
}

class EmbeddedOutputs implements TaskOutputs {
  readonly #store: EmbeddedStore
  readonly #ownTopics: ReadonlySet<string>

  constructor(store: EmbeddedStore, ownTopics: ReadonlySet<string>) {
    this.#store = store
    this.#ownTopics = ownTopics
  }

  /** It takes any key and any time. */
  refusal(record: OutputRecord): TidemarkError | null {
    const { topics } = this.#store
    const { topic: name, partition } = record
    const topic = topics.find(name)
    if (this.#ownTopics.has(name)) return outputRefusal.ownTopic(name)
    if (partition !== null && partition >= (topic?.partitions.length ?? topics.defaultPartitions)) {
      return outputRefusal.noPartition(name, partition)
    }
    const bytes = recordBytes(record)
    const maxBytes = topic?.maxMessageBytes ?? defaultMaxMessageBytes
    return bytes > maxBytes ? outputRefusal.tooLarge(name, bytes, maxBytes) : null
  }
}
