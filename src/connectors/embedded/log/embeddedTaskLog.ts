import { TidemarkError } from '../../../core/errors.ts'
import { changelogTopicName } from '../../../core/ownNames.ts'
import { outputRefusal } from '../../../core/outputRefusal.ts'
import { recordBytes, type OutputRecord } from '../../../core/record.ts'
import type { Positions, TaskId } from '../../../core/ports/task.ts'
import type {
  ChangelogEntry,
  CommittedOffset,
  EpochTransaction,
  OffsetRange,
  TaskLog,
  TaskReader,
} from '../../../core/ports/taskLog.ts'
import { compactChangelog } from '../store/changelogCompaction.ts'
import { getCommittedOffset } from '../store/committedOffsets.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { EmbeddedTaskReader, type ReadAhead } from './embeddedTaskReader.ts'
import { EmbeddedTransaction } from './embeddedTransaction.ts'
import type { PartitionLog } from '../store/partitionLog.ts'
import { findOffsetAtTime, readLogPage } from '../store/readLogPage.ts'
import type { FenceToken } from './taskFences.ts'
import { defaultMaxMessageBytes } from '../store/topic.ts'

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
 * The embedded log as one task sees it. It needs no topic ids: a topic is never deleted by itself, only with the whole store
 * and every committed offset in it.
 *
 * Its changelog topic must exist: `EmbeddedJobLog` makes it.
 */
export class EmbeddedTaskLog implements TaskLog {
  readonly partition: number
  readonly topics: readonly string[]
  readonly #store: EmbeddedStore
  readonly #spec: EmbeddedTaskSpec
  readonly #changelogTopic: string
  #token: FenceToken | null = null
  #reader: TaskReader | null = null

  constructor(store: EmbeddedStore, spec: EmbeddedTaskSpec) {
    this.#store = store
    this.#spec = spec
    this.partition = spec.task.partition
    this.topics = spec.topics
    this.#changelogTopic = changelogTopicName(spec.task)
  }

  async fence(): Promise<void> {
    this.#token = await this.#store.fences.take(this.#spec.task, this.#store.writer)
  }

  async committed(): Promise<ReadonlyMap<string, CommittedOffset>> {
    const { storage } = this.#store
    const found = new Map<string, CommittedOffset>()
    for (const topic of this.topics) {
      const offset = getCommittedOffset(storage, { group: this.#spec.groupId, topic, partition: this.partition })
      if (offset !== undefined) found.set(topic, offset)
    }
    return found
  }

  /** The embedded log has no retention: `start` is always 0. */
  async range(topic: string): Promise<OffsetRange> {
    return { start: 0, end: this.#input(topic).end }
  }

  async offsetAtTime(topic: string, timestampMs: number): Promise<number> {
    return findOffsetAtTime(this.#store.storage, this.#input(topic), timestampMs)
  }

  read(positions: Positions, ends: Positions | null): TaskReader {
    this.#reader?.close()
    const logs = [...positions.keys()].map((topic) => this.#input(topic))
    this.#reader = new EmbeddedTaskReader(this.#store.storage, logs, positions, ends, this.#spec.readAhead)
    return this.#reader
  }

  begin(): EpochTransaction {
    const { task, groupId } = this.#spec
    return new EmbeddedTransaction({
      store: this.#store,
      task,
      groupId,
      changelog: this.#changelog,
      token: this.#token,
    })
  }

  /** It takes any key and any time. */
  refusal(record: OutputRecord): TidemarkError | null {
    const { topics } = this.#store
    const { topic: name, partition } = record
    const topic = topics.find(name)
    if (name === this.#changelogTopic) return outputRefusal.ownTopic(name)
    if (partition !== null && partition >= (topic?.partitions.length ?? topics.defaultPartitions)) {
      return outputRefusal.noPartition(name, partition)
    }
    const bytes = recordBytes(record)
    const maxBytes = topic?.maxMessageBytes ?? defaultMaxMessageBytes
    return bytes > maxBytes ? outputRefusal.tooLarge(name, bytes, maxBytes) : null
  }

  /** Compaction leaves gaps and does not move the start. */
  async changelogRange(): Promise<OffsetRange> {
    return { start: 0, end: this.#changelog.end }
  }

  async *readChangelog(from: number, to: number): AsyncGenerator<readonly ChangelogEntry[], void> {
    let next = from
    while (next < Math.min(to, this.#changelog.end)) {
      const page = await readLogPage(this.#store.storage, this.#changelog, {
        from: next,
        until: to,
        maxBatches: 64,
        maxBytes: 1024 * 1024,
      })
      if (page.records.length > 0)
        yield page.records.map(({ key, raw }) => ({ key: this.#requiredKey(key), value: raw }))
      next = page.next
    }
  }

  compactChangelog(keep: (key: Buffer) => boolean): Promise<void> {
    return compactChangelog(this.#store.storage, this.#changelog, { keep, nowMs: this.#store.clock.now() })
  }

  close(): Promise<void> {
    this.#reader?.close()
    this.#reader = null
    return Promise.resolve()
  }

  /** Looked up when it is used: a job that never ran has none yet, and its inputs may be looked at all the same. */
  get #changelog(): PartitionLog {
    return this.#store.topics.partition(this.#changelogTopic, this.partition)
  }

  #input(topic: string): PartitionLog {
    return this.#store.topics.partition(topic, this.partition)
  }

  #requiredKey(key: Buffer | null): Buffer {
    if (key !== null) return key
    throw new TidemarkError(
      'corrupt-store',
      `Changelog ${this.#changelogTopic} has a record without a key: something else writes it`,
    )
  }
}
