import { changelogEntry } from '../../core/changelogRecords.ts'
import { beganBefore, readCommitMetadata } from '../../core/commitMetadata.ts'
import { TidemarkError } from '../../core/errors.ts'
import { outputRefusal, LearntRefusals } from '../../core/outputRefusal.ts'
import { offsetFormat, offsetOf, offsetPosition, offsetPositions, offsetsBetween } from '../../core/offsetPosition.ts'
import { recordBytes, type OutputRecord } from '../../core/record.ts'
import type { TaskChangelog } from '../../core/ports/changelog.ts'
import type { CommittedPosition, TaskCommitLog } from '../../core/ports/commitLog.ts'
import type { TaskInputs } from '../../core/ports/inputs.ts'
import type { PositionRange } from '../../core/ports/position.ts'
import { inputGone, topicRecreated } from '../../core/topicErrors.ts'
import { visibleRange } from '../../core/visibleRange.ts'
import type { MemoryLog, MemoryTaskIdentity } from './memoryLog.ts'
import { MemoryReader } from './memoryReader.ts'
import type { GroupTaskLog } from './memoryRoster.ts'
import { partitionPages, type MemoryPartition, type MemoryTopic } from './memoryTopic.ts'
import { MemoryTransaction } from './memoryTransaction.ts'
import { memoryWriteAheadLog } from './memoryWriteAheadLog.ts'
import type { TestProcess } from './testProcess.ts'

const changelogBatch = 100

/** A task of one process, and the log that it sees. */
interface Owner {
  readonly log: MemoryLog
  readonly process: TestProcess
  readonly task: MemoryTaskIdentity
}

/**
 * The memory log as one task of one process sees it.
 *
 * @param missing told of an input that does not exist; true: the tasks will be dealt out without it.
 */
export function memoryTaskLog(
  owner: Owner,
  topics: readonly string[],
  missing: (topic: string) => boolean,
): GroupTaskLog {
  const { log, process, task } = owner
  const inputs = inputsOf(owner, topics, missing)
  const changelog = changelogOf(owner)
  const refusals = new LearntRefusals()
  let closed = false
  return {
    partition: task.partition,
    inputs,
    commitLog: commitLogOf(owner, inputs, changelog, refusals),
    changelog,
    outputs: { refusal: (record) => refusalOf(log, record) ?? refusals.find(record) },
    writeAheadLog: memoryWriteAheadLog(() => log.writeAheadLog(task), process),
    get closed() {
      return closed
    },
    close() {
      closed = true
      inputs.close()
      // Nothing is lost with it: the next fence does the rest.
      return process.call('log.close', () => undefined).catch(() => undefined)
    },
  }
}

interface MemoryInputs extends TaskInputs {
  /** From here on these topics are meant, not whichever has their name. */
  lookUp(): void
  topicIds(): ReadonlyMap<string, string>
  close(): void
}

function inputsOf(
  { log, process, task }: Owner,
  topics: readonly string[],
  missing: (topic: string) => boolean,
): MemoryInputs {
  const lookedUp = (): ReadonlyMap<string, MemoryTopic> => {
    const there = topics.filter((topic) => log.topicId(topic) !== null)
    return new Map(there.map((topic) => [topic, log.topic(topic)]))
  }
  // The topics that are meant, as of the last look; without those that did not exist then.
  let meant = lookedUp()
  // What all tasks of the group had committed then.
  let group: ReturnType<MemoryLog['groupOffsets']> = []
  let reader: MemoryReader | null = null

  const topicId = (topic: string): string | null => meant.get(topic)?.id ?? null
  const partitionOf = (topic: string): MemoryPartition => {
    const input = meant.get(topic)
    if (input !== undefined) return input.partition(task.partition)
    throw new TidemarkError('broken-invariant', `Task ${String(task.partition)} does not read topic ${topic}.`)
  }
  const input = (topic: string): MemoryPartition => {
    const isThere = meant.has(topic) || !topics.includes(topic)
    const found = isThere ? partitionOf(topic) : null
    if (found !== null && !found.removed) return found
    // Made anew, it is another one, which the next look finds.
    if (log.topicId(topic) === null && !missing(topic)) throw inputGone(topic)
    throw new TidemarkError(
      'system-unreachable',
      `Topic ${topic} was deleted; the tasks are dealt out without it, or look it up again.`,
    )
  }
  const range = (topic: string): Promise<PositionRange> =>
    process.call('log.range', () => offsetPositions(input(topic).range))
  const close = (): void => {
    reader?.close()
    reader = null
  }
  return {
    topics,
    format: offsetFormat,
    lookUp() {
      meant = lookedUp()
      group = log.groupOffsets(task.groupId)
    },
    topicIds: () => new Map([...meant].map(([name, { id }]) => [name, id])),
    topicId,
    exists: (topic) => process.call('log.exists', () => log.topicId(topic) !== null),
    range,
    lag: async (topic, from, to) => offsetsBetween(from, to ?? (await range(topic)).end),
    undecided: (topic) =>
      process.call('log.undecided', () => {
        const found = input(topic)
        return found.highWatermark - found.range.end
      }),
    discovered: (topic) => Promise.resolve(beganBefore(group, topic, task.partition)),
    positionAtTime: (topic, timestampMs) =>
      process.call('log.offsetAtTime', () => {
        const found = input(topic)
        const first = found.records.find(({ timestamp }) => timestamp >= timestampMs)
        return offsetPosition(first?.offset ?? found.range.end)
      }),
    read(positions, ends) {
      close()
      const inputs = [...positions].map(([topic, position]) => ({
        // Deleted since it was looked up, it is the reader's to wait for.
        partition: partitionOf(topic),
        position: offsetOf(position),
        end: ends === null ? null : offsetOf(ends.get(topic) ?? position),
      }))
      reader = new MemoryReader(process, inputs, {
        madeAnew(topic) {
          const now = log.topicId(topic)
          return now === null ? null : topicRecreated(topic, topicId(topic), now)
        },
        missing,
      })
      return reader
    },
    close,
  }
}

interface MemoryChangelog extends TaskChangelog {
  /** Somebody knows that it is committed up to there. */
  reaches(end: number): void
}

function changelogOf({ log, process, task }: Owner): MemoryChangelog {
  const changelog = (): MemoryPartition => log.changelog(task).partition(task.partition)
  let committedEnd = 0
  return {
    reaches(end) {
      committedEnd = Math.max(committedEnd, end)
    },
    range: () =>
      visibleRange(process.clock, committedEnd, {
        range: () => process.call('log.changelogRange', () => changelog().range),
        writtenEnd: () => process.call('log.changelogRange', () => changelog().highWatermark),
      }),
    async *read(from, to) {
      const range = { from, to, atOnce: changelogBatch }
      for await (const page of partitionPages(process, 'log.readChangelog', changelog, range)) {
        yield page.map(changelogEntry)
      }
    },
    compact: (keep) =>
      process.call('log.compactChangelog', () => {
        const last = new Map<string, number>()
        for (const { key, offset } of changelog().records) last.set(key?.toString('hex') ?? '', offset)
        const { end } = changelog().range
        changelog().compact(
          ({ key, offset }) =>
            // What is not decided yet stays.
            offset >= end || (key !== null && last.get(key.toString('hex')) === offset && keep(key)),
        )
      }),
  }
}

function refusalOf(log: MemoryLog, record: OutputRecord): TidemarkError | null {
  const { topic: name, partition } = record
  if (log.isWriteAheadLog(name)) return outputRefusal.ownTopic(name)
  const { partitions, maxRecordBytes } = log.ensureTopic(name)
  if (partition !== null && partition >= partitions.length) return outputRefusal.noPartition(name, partition)
  const bytes = recordBytes(record)
  return bytes > maxRecordBytes ? outputRefusal.tooLarge(name, bytes, maxRecordBytes) : null
}

function commitLogOf(
  { log, process, task }: Owner,
  inputs: MemoryInputs,
  changelog: MemoryChangelog,
  refusals: LearntRefusals,
): TaskCommitLog {
  let token = 0
  let lost = true
  return {
    get lost() {
      return lost
    },
    async fence() {
      token = await process.call('log.fence', () =>
        log.afterEnd(task, () => {
          const taken = log.fence(task)
          // It also waits for the end of what it has aborted.
          return log.afterEnd(task, () => taken)
        }),
      )
      lost = false
    },
    fenceEarlier: (transactionalIdPrefix) =>
      process.call('log.fenceEarlier', () => {
        const transactionalId = task.transactionalIdUnder?.(transactionalIdPrefix)
        if (transactionalId !== undefined) log.fence({ transactionalId })
      }),
    async committed() {
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
    },
    begin: () =>
      new MemoryTransaction(log, process, task, {
        token,
        topicIds: inputs.topicIds(),
        refusals,
        lost: () => {
          lost = true
        },
        committed: (changelogEnd) => {
          changelog.reaches(changelogEnd)
        },
      }),
  }
}
