import { changelogEntry } from '../../core/changelogRecords.ts'
import { beganBefore, readCommitMetadata } from '../../core/commitMetadata.ts'
import { TidemarkError } from '../../core/errors.ts'
import { outputRefusal, LearntRefusals } from '../../core/outputRefusal.ts'
import { offsetFormat, offsetOf, offsetPosition, offsetPositions, offsetsBetween } from '../../core/offsetPosition.ts'
import { recordBytes, type OutputRecord } from '../../core/record.ts'
import type { ChangelogEntry, OffsetRange, TaskChangelog } from '../../core/ports/changelog.ts'
import type { CommittedPosition, EpochTransaction, TaskCommitLog } from '../../core/ports/commitLog.ts'
import type { TaskInputs } from '../../core/ports/inputs.ts'
import type { TaskOutputs } from '../../core/ports/outputs.ts'
import type { Position, PositionRange, Positions } from '../../core/ports/position.ts'
import type { TaskLog } from '../../core/ports/taskLog.ts'
import { inputGone, topicRecreated } from '../../core/topicErrors.ts'
import { visibleRange } from '../../core/visibleRange.ts'
import type { MemoryLog, MemoryTaskIdentity } from './memoryLog.ts'
import { MemoryReader } from './memoryReader.ts'
import type { MemoryPartition, MemoryTopic } from './memoryTopic.ts'
import { MemoryTransaction } from './memoryTransaction.ts'
import { MemoryWriteAheadLog } from './memoryWriteAheadLog.ts'
import type { TestProcess } from './testProcess.ts'

const changelogBatch = 100

/** A task of one process, and the log that it sees. */
interface Owner {
  readonly log: MemoryLog
  readonly process: TestProcess
  readonly task: MemoryTaskIdentity
}

/** The memory log as one task of one process sees it. */
export class MemoryTaskLog implements TaskLog {
  readonly partition: number
  readonly inputs: MemoryInputs
  readonly commitLog: MemoryCommitLog
  readonly changelog: MemoryChangelog
  readonly outputs: MemoryOutputs
  readonly writeAheadLog: MemoryWriteAheadLog
  readonly #process: TestProcess
  #closed = false

  /** @param missing told of an input that does not exist; true: the tasks will be dealt out without it. */
  constructor(
    log: MemoryLog,
    process: TestProcess,
    task: MemoryTaskIdentity,
    topics: readonly string[],
    missing: (topic: string) => boolean,
  ) {
    const owner = { log, process, task }
    this.partition = task.partition
    this.inputs = new MemoryInputs(owner, topics, missing)
    this.changelog = new MemoryChangelog(owner)
    this.outputs = new MemoryOutputs(log)
    this.writeAheadLog = new MemoryWriteAheadLog(() => log.writeAheadLog(task), process)
    this.commitLog = new MemoryCommitLog(owner, this)
    this.#process = process
  }

  /** Whether its owner has closed it. */
  get closed(): boolean {
    return this.#closed
  }

  close(): Promise<void> {
    this.#closed = true
    this.inputs.close()
    // Nothing is lost with it: the next fence does the rest.
    return this.#process.call('log.close', () => undefined).catch(() => undefined)
  }
}

class MemoryInputs implements TaskInputs {
  readonly topics: readonly string[]
  readonly format = offsetFormat
  readonly #owner: Owner
  readonly #missing: (topic: string) => boolean
  /** The topics that are meant, as of the last look; without those that did not exist then. */
  #meant: ReadonlyMap<string, MemoryTopic>
  /** What all tasks of the group had committed then. */
  #group: ReturnType<MemoryLog['groupOffsets']> = []
  #reader: MemoryReader | null = null

  constructor(owner: Owner, topics: readonly string[], missing: (topic: string) => boolean) {
    this.topics = topics
    this.#owner = owner
    this.#missing = missing
    this.#meant = this.#lookedUp()
  }

  /** From here on these topics are meant, not whichever has their name. */
  lookUp(): void {
    const { log, task } = this.#owner
    this.#meant = this.#lookedUp()
    this.#group = log.groupOffsets(task.groupId)
  }

  get topicIds(): ReadonlyMap<string, string> {
    return new Map([...this.#meant].map(([name, { id }]) => [name, id]))
  }

  topicId(topic: string): string | null {
    return this.#meant.get(topic)?.id ?? null
  }

  exists(topic: string): Promise<boolean> {
    const { log, process } = this.#owner
    return process.call('log.exists', () => log.topicId(topic) !== null)
  }

  range(topic: string): Promise<PositionRange> {
    return this.#owner.process.call('log.range', () => offsetPositions(this.#input(topic).range))
  }

  async lag(topic: string, from: Position, to?: Position): Promise<number> {
    return offsetsBetween(from, to ?? (await this.range(topic)).end)
  }

  undecided(topic: string): Promise<number> {
    return this.#owner.process.call('log.undecided', () => {
      const { highWatermark, range } = this.#input(topic)
      return highWatermark - range.end
    })
  }

  discovered(topic: string): Promise<boolean> {
    return Promise.resolve(beganBefore(this.#group, topic, this.#owner.task.partition))
  }

  positionAtTime(topic: string, timestampMs: number): Promise<Position> {
    return this.#owner.process.call('log.offsetAtTime', () => {
      const { records, range } = this.#input(topic)
      return offsetPosition(records.find(({ timestamp }) => timestamp >= timestampMs)?.offset ?? range.end)
    })
  }

  read(positions: Positions, ends: Positions | null): MemoryReader {
    this.close()
    const inputs = [...positions].map(([topic, position]) => ({
      // Deleted since it was looked up, it is the reader's to wait for.
      partition: this.#partition(topic),
      position: offsetOf(position),
      end: ends === null ? null : offsetOf(ends.get(topic) ?? position),
    }))
    this.#reader = new MemoryReader(this.#owner.process, inputs, {
      madeAnew: (topic) => this.#madeAnew(topic),
      missing: this.#missing,
    })
    return this.#reader
  }

  close(): void {
    this.#reader?.close()
    this.#reader = null
  }

  #lookedUp(): ReadonlyMap<string, MemoryTopic> {
    const { log } = this.#owner
    const there = this.topics.filter((topic) => log.topicId(topic) !== null)
    return new Map(there.map((topic) => [topic, log.topic(topic)]))
  }

  /** The error of a topic that was deleted and made anew; null while nothing has its name. */
  #madeAnew(topic: string): TidemarkError | null {
    const now = this.#owner.log.topicId(topic)
    return now === null ? null : topicRecreated(topic, this.topicId(topic), now)
  }

  #partition(topic: string): MemoryPartition {
    const { partition } = this.#owner.task
    const input = this.#meant.get(topic)
    if (input !== undefined) return input.partition(partition)
    throw new TidemarkError('broken-invariant', `Task ${String(partition)} does not read topic ${topic}.`)
  }

  #input(topic: string): MemoryPartition {
    const isThere = this.#meant.has(topic) || !this.topics.includes(topic)
    const input = isThere ? this.#partition(topic) : null
    if (input !== null && !input.removed) return input
    // Made anew, it is another one, which the next look finds.
    if (this.#owner.log.topicId(topic) === null && !this.#missing(topic)) throw inputGone(topic)
    throw new TidemarkError(
      'system-unreachable',
      `Topic ${topic} was deleted; the tasks are dealt out without it, or look it up again.`,
    )
  }
}

class MemoryChangelog implements TaskChangelog {
  readonly #owner: Owner
  #committedEnd = 0

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /** Somebody knows that it is committed up to there. */
  reaches(end: number): void {
    this.#committedEnd = Math.max(this.#committedEnd, end)
  }

  range(): Promise<OffsetRange> {
    const { process } = this.#owner
    return visibleRange(process.clock, this.#committedEnd, {
      range: () => process.call('log.changelogRange', () => this.#partition.range),
      writtenEnd: () => process.call('log.changelogRange', () => this.#partition.highWatermark),
    })
  }

  async *read(from: number, to: number): AsyncIterable<readonly ChangelogEntry[]> {
    let offset = from
    for (;;) {
      const batch = await this.#owner.process.call('log.readChangelog', () => {
        const first = this.#partition.indexOf(offset)
        return this.#partition.records.slice(first, first + changelogBatch).filter((record) => record.offset < to)
      })
      const last = batch.at(-1)
      if (last === undefined) return
      offset = last.offset + 1
      yield batch.map(changelogEntry)
    }
  }

  compact(keep: (key: Buffer) => boolean): Promise<void> {
    return this.#owner.process.call('log.compactChangelog', () => {
      const changelog = this.#partition
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

  get #partition(): MemoryPartition {
    const { log, task } = this.#owner
    return log.changelog(task).partition(task.partition)
  }
}

class MemoryOutputs implements TaskOutputs {
  readonly learnt: LearntRefusals = new LearntRefusals()
  readonly #log: MemoryLog

  constructor(log: MemoryLog) {
    this.#log = log
  }

  refusal(record: OutputRecord): TidemarkError | null {
    const { topic: name, partition } = record
    if (this.#log.isWriteAheadLog(name)) return outputRefusal.ownTopic(name)
    const { partitions, maxRecordBytes } = this.#log.ensureTopic(name)
    if (partition !== null && partition >= partitions.length) return outputRefusal.noPartition(name, partition)
    const bytes = recordBytes(record)
    return bytes > maxRecordBytes ? outputRefusal.tooLarge(name, bytes, maxRecordBytes) : this.learnt.find(record)
  }
}

class MemoryCommitLog implements TaskCommitLog {
  readonly #owner: Owner
  readonly #task: Pick<MemoryTaskLog, 'inputs' | 'changelog' | 'outputs'>
  #token = 0
  #lost = true

  constructor(owner: Owner, task: Pick<MemoryTaskLog, 'inputs' | 'changelog' | 'outputs'>) {
    this.#owner = owner
    this.#task = task
  }

  get lost(): boolean {
    return this.#lost
  }

  async fence(): Promise<void> {
    const { log, process, task } = this.#owner
    this.#token = await process.call('log.fence', () =>
      log.afterEnd(task, () => {
        const token = log.fence(task)
        // It also waits for the end of what it has aborted.
        return log.afterEnd(task, () => token)
      }),
    )
    this.#lost = false
  }

  async fenceEarlier(transactionalIdPrefix: string): Promise<void> {
    const { log, process, task } = this.#owner
    await process.call('log.fenceEarlier', () => {
      const transactionalId = task.transactionalIdUnder?.(transactionalIdPrefix)
      if (transactionalId !== undefined) log.fence({ transactionalId })
    })
  }

  async committed(): Promise<ReadonlyMap<string, CommittedPosition>> {
    const { log, process, task } = this.#owner
    const { inputs, changelog } = this.#task
    const found = await process.call('log.committed', () =>
      log.whenStable(task, () => {
        const committed = new Map<string, CommittedPosition>()
        for (const topic of inputs.topics) {
          const known = log.committed(task, topic)
          if (known === undefined) continue
          const { offset, ...beside } = known
          committed.set(topic, { position: offsetPosition(offset), ...beside })
        }
        inputs.lookUp()
        return committed
      }),
    )
    for (const { metadata } of found.values()) changelog.reaches(readCommitMetadata(metadata)?.changelogEnd ?? 0)
    return found
  }

  begin(): EpochTransaction {
    const { log, process, task } = this.#owner
    const { inputs, changelog, outputs } = this.#task
    return new MemoryTransaction(log, process, task, {
      token: this.#token,
      topicIds: inputs.topicIds,
      refusals: outputs.learnt,
      lost: () => {
        this.#lost = true
      },
      committed: (changelogEnd) => {
        changelog.reaches(changelogEnd)
      },
    })
  }
}
