import { beganBefore } from '../../core/beganBefore.ts'
import { readCommitMetadata } from '../../core/commitMetadata.ts'
import { TidemarkError } from '../../core/errors.ts'
import { LearntRefusals } from '../../core/learntRefusals.ts'
import { outputRefusal } from '../../core/outputRefusal.ts'
import { recordBytes, type OutputRecord } from '../../core/record.ts'
import type { Positions } from '../../core/ports/task.ts'
import { inputGone, topicRecreated } from '../../core/topicErrors.ts'
import type {
  ChangelogEntry,
  CommittedOffset,
  EpochTransaction,
  OffsetRange,
  TaskLog,
} from '../../core/ports/taskLog.ts'
import { visibleRange } from '../../core/visibleRange.ts'
import type { MemoryLog, MemoryTaskIdentity } from './memoryLog.ts'
import { MemoryReader } from './memoryReader.ts'
import type { MemoryPartition, MemoryTopic } from './memoryTopic.ts'
import { MemoryTransaction } from './memoryTransaction.ts'
import type { TestProcess } from './testProcess.ts'

const changelogBatch = 100

/** The memory log as one task of one process sees it. */
export class MemoryTaskLog implements TaskLog {
  readonly partition: number
  readonly topics: readonly string[]
  readonly #log: MemoryLog
  readonly #process: TestProcess
  readonly #task: MemoryTaskIdentity
  readonly #refusals: LearntRefusals = new LearntRefusals()
  readonly #missing: (topic: string) => boolean
  /** The topics that are meant, as of the last `committed`; without those that did not exist then. */
  #inputs: ReadonlyMap<string, MemoryTopic>
  /** What all tasks of the group had committed then. */
  #group: ReturnType<MemoryLog['groupOffsets']> = []
  #token = 0
  #changelogEnd = 0
  #lost = false
  #closed = false
  #reader: MemoryReader | null = null

  /** @param missing told of an input that does not exist; true: the tasks will be dealt out without it. */
  constructor(
    log: MemoryLog,
    process: TestProcess,
    task: MemoryTaskIdentity,
    topics: readonly string[],
    missing: (topic: string) => boolean,
  ) {
    this.#log = log
    this.#process = process
    this.#task = task
    this.partition = task.partition
    this.topics = topics
    this.#missing = missing
    this.#inputs = this.#lookedUp()
  }

  /** Whether its owner has closed it. */
  get closed(): boolean {
    return this.#closed
  }

  get lost(): boolean {
    return this.#lost
  }

  fence(): Promise<void> {
    return this.#process
      .call('log.fence', () =>
        this.#log.afterEnd(this.#task, () => {
          const token = this.#log.fence(this.#task)
          // It also waits for the end of what it has aborted.
          return this.#log.afterEnd(this.#task, () => token)
        }),
      )
      .then((token) => {
        this.#token = token
        this.#lost = false
      })
  }

  async fenceEarlier(transactionalIdPrefix: string): Promise<void> {
    await this.#process.call('log.fenceEarlier', () => {
      const transactionalId = this.#task.transactionalIdUnder?.(transactionalIdPrefix)
      if (transactionalId !== undefined) this.#log.fence({ transactionalId })
    })
  }

  async committed(): Promise<ReadonlyMap<string, CommittedOffset>> {
    const found = await this.#process.call('log.committed', () =>
      this.#log.whenStable(this.#task, () => {
        const committed = new Map<string, CommittedOffset>()
        for (const topic of this.topics) {
          const offset = this.#log.committed(this.#task, topic)
          if (offset !== undefined) committed.set(topic, offset)
        }
        this.#inputs = this.#lookedUp()
        this.#group = this.#log.groupOffsets(this.#task.groupId)
        return committed
      }),
    )
    for (const { metadata } of found.values()) {
      if (metadata !== '') this.#knowsCommit(readCommitMetadata(metadata)?.changelogEnd ?? 0)
    }
    return found
  }

  topicId(topic: string): string | null {
    return this.#inputs.get(topic)?.id ?? null
  }

  undecided(topic: string): Promise<number> {
    return this.#process.call('log.undecided', () => {
      const { highWatermark, range } = this.#input(topic)
      return highWatermark - range.end
    })
  }

  exists(topic: string): Promise<boolean> {
    return this.#process.call('log.exists', () => this.#log.topicId(topic) !== null)
  }

  range(topic: string): Promise<OffsetRange> {
    return this.#process.call('log.range', () => this.#input(topic).range)
  }

  discovered(topic: string): Promise<boolean> {
    const noted = this.#group.flatMap(({ task, metadata }) => {
      const commit = readCommitMetadata(metadata)
      return commit === null ? [] : [{ task, partitionCounts: commit.partitionCounts }]
    })
    return Promise.resolve(beganBefore(noted, topic, this.partition))
  }

  offsetAtTime(topic: string, timestampMs: number): Promise<number> {
    return this.#process.call('log.offsetAtTime', () => {
      const { records, range } = this.#input(topic)
      return records.find(({ timestamp }) => timestamp >= timestampMs)?.offset ?? range.end
    })
  }

  read(positions: Positions, ends: Positions | null): MemoryReader {
    this.#reader?.close()
    const inputs = [...positions].map(([topic, position]) => ({
      // Deleted since it was looked up, it is the reader's to wait for.
      partition: this.#meant(topic),
      position,
      end: ends === null ? null : (ends.get(topic) ?? position),
    }))
    this.#reader = new MemoryReader(this.#process, inputs, {
      madeAnew: (topic) => this.#madeAnew(topic),
      missing: this.#missing,
    })
    return this.#reader
  }

  begin(): EpochTransaction {
    const topicIds = new Map([...this.#inputs].map(([name, { id }]) => [name, id]))
    return new MemoryTransaction(this.#log, this.#process, this.#task, {
      token: this.#token,
      topicIds,
      refusals: this.#refusals,
      lost: () => {
        this.#lost = true
      },
      committed: (changelogEnd) => {
        this.#knowsCommit(changelogEnd)
      },
    })
  }

  refusal(record: OutputRecord): TidemarkError | null {
    const { topic: name, partition } = record
    const { partitions, maxRecordBytes } = this.#log.ensureTopic(name)
    if (partition !== null && partition >= partitions.length) return outputRefusal.noPartition(name, partition)
    const bytes = recordBytes(record)
    return bytes > maxRecordBytes ? outputRefusal.tooLarge(name, bytes, maxRecordBytes) : this.#refusals.find(record)
  }

  /** Reaches at least as far as what is known to be committed. */
  changelogRange(): Promise<OffsetRange> {
    return visibleRange(this.#process.clock, this.#changelogEnd, {
      range: () => this.#process.call('log.changelogRange', () => this.#changelog().range),
      writtenEnd: () => this.#process.call('log.changelogRange', () => this.#changelog().highWatermark),
    })
  }

  async *readChangelog(from: number, to: number): AsyncIterable<readonly ChangelogEntry[]> {
    let offset = from
    for (;;) {
      const batch = await this.#process.call('log.readChangelog', () => {
        const { records } = this.#changelog()
        const first = this.#changelog().indexOf(offset)
        return records.slice(first, first + changelogBatch).filter((record) => record.offset < to)
      })
      const last = batch.at(-1)
      if (last === undefined) return
      offset = last.offset + 1
      yield batch.map(({ key, raw }) => ({ key: key ?? Buffer.alloc(0), value: raw }))
    }
  }

  compactChangelog(keep: (key: Buffer) => boolean): Promise<void> {
    return this.#process.call('log.compactChangelog', () => {
      const changelog = this.#changelog()
      const last = new Map<string, number>()
      for (const { key, offset } of changelog.records) last.set(key?.toString('hex') ?? '', offset)
      const { end } = changelog.range
      changelog.compact(
        ({ key, offset }) =>
          // What is not decided yet stays.
          offset >= end || (key !== null && last.get(key.toString('hex')) === offset && keep(key)),
      )
    })
  }

  close(): Promise<void> {
    this.#closed = true
    this.#reader?.close()
    this.#reader = null
    // Nothing is lost with it: the next fence does the rest.
    return this.#process.call('log.close', () => undefined).catch(() => undefined)
  }

  #knowsCommit(changelogEnd: number): void {
    this.#changelogEnd = Math.max(this.#changelogEnd, changelogEnd)
  }

  /** The error of a topic that was deleted and made anew; null while nothing has its name. */
  #madeAnew(topic: string): TidemarkError | null {
    const now = this.#log.topicId(topic)
    return now === null ? null : topicRecreated(topic, this.topicId(topic), now)
  }

  #changelog(): MemoryPartition {
    return this.#log.changelog(this.#task).partition(this.partition)
  }

  #lookedUp(): ReadonlyMap<string, MemoryTopic> {
    const there = this.topics.filter((topic) => this.#log.topicId(topic) !== null)
    return new Map(there.map((topic) => [topic, this.#log.topic(topic)]))
  }

  #meant(topic: string): MemoryPartition {
    const input = this.#inputs.get(topic)
    if (input !== undefined) return input.partition(this.partition)
    throw new TidemarkError('broken-invariant', `Task ${String(this.partition)} does not read topic ${topic}.`)
  }

  #input(topic: string): MemoryPartition {
    const isThere = this.#inputs.has(topic) || !this.topics.includes(topic)
    const input = isThere ? this.#meant(topic) : null
    if (input !== null && !input.removed) return input
    // Made anew, it is another one, which the next `committed` finds.
    if (this.#log.topicId(topic) === null && !this.#missing(topic)) throw inputGone(topic)
    throw new TidemarkError(
      'system-unreachable',
      `Topic ${topic} was deleted; the tasks are dealt out without it, or look it up again.`,
    )
  }
}
