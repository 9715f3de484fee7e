import { changelogEntry } from '../../../core/changelogRecords.ts'
import { changelogTopicName, ownTopicsOf } from '../../../core/ownNames.ts'
import { offsetFormat, offsetPosition, offsetPositions, offsetsBetween } from '../../../core/offsetPosition.ts'
import { outputRefusal } from '../../../core/outputRefusal.ts'
import type { ReadAhead } from '../../../core/pagedReader.ts'
import { recordBytes } from '../../../core/record.ts'
import type { TaskChangelog } from '../../../core/ports/changelog.ts'
import type { CommittedPosition, TaskCommitLog } from '../../../core/ports/commitLog.ts'
import type { TaskInputs, TaskReader } from '../../../core/ports/inputs.ts'
import type { TaskOutputs } from '../../../core/ports/outputs.ts'
import type { TaskId } from '../../../core/ports/task.ts'
import type { TaskLog } from '../../../core/ports/taskLog.ts'
import { compactChangelog } from '../store/changelogCompaction.ts'
import { getCommittedOffset } from '../store/committedOffsets.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { EmbeddedTaskReader } from './embeddedTaskReader.ts'
import { EmbeddedTransaction } from './embeddedTransaction.ts'
import { defaultMaxMessageBytes, type PartitionLog } from '../store/topic.ts'
import { findOffsetAtTime, readLogPages } from '../store/readLogPage.ts'
import { EmbeddedWriteAheadLog } from './embeddedWriteAheadLog.ts'
import type { FenceToken } from './taskFences.ts'

/** Which task of the store a log is for. */
export interface EmbeddedTaskSpec {
  readonly task: TaskId
  /** The consumer group whose offsets are committed. */
  readonly groupId: string
  /** Topics that have the task's partition. */
  readonly topics: readonly string[]
  readonly readAhead: ReadAhead
}

/**
 * The embedded log as one task sees it. Its changelog topic must exist before it is written: `EmbeddedJobLog` makes it.
 */
export function embeddedTaskLog(store: EmbeddedStore, spec: EmbeddedTaskSpec): TaskLog {
  const { task } = spec
  // Looked up when it is used: a job that never ran has none yet, and its inputs may be looked at all the same.
  const changelog = (): PartitionLog => store.topics.partition(changelogTopicName(task), task.partition)
  const inputs = inputsOf(store, spec)
  return {
    partition: task.partition,
    inputs,
    commitLog: commitLogOf(store, spec, changelog),
    changelog: changelogOf(store, changelog),
    outputs: outputsOf(store, ownTopicsOf(task)),
    writeAheadLog: new EmbeddedWriteAheadLog(store, task),
    close() {
      inputs.close()
      return Promise.resolve()
    },
  }
}

/** Topics here neither grow, nor are they deleted but with the whole store and every committed offset in it. */
function inputsOf(
  { storage, topics: known }: EmbeddedStore,
  { task, topics, readAhead }: EmbeddedTaskSpec,
): TaskInputs & { close(): void } {
  const input = (topic: string): PartitionLog => known.partition(topic, task.partition)
  let reader: TaskReader | null = null
  const close = (): void => {
    reader?.close()
    reader = null
  }
  return {
    topics,
    format: offsetFormat,
    topicId: () => null,
    exists: async (topic) => known.find(topic) !== undefined,
    // Nothing is ever removed.
    range: async (topic) => offsetPositions({ start: 0, end: input(topic).end }),
    lag: async (topic, from, to = offsetPosition(input(topic).end)) => offsetsBetween(from, to),
    undecided: () => Promise.resolve(0),
    discovered: () => Promise.resolve(false),
    positionAtTime: async (topic, timestampMs) =>
      offsetPosition(await findOffsetAtTime(storage, input(topic), timestampMs)),
    read(positions, ends) {
      close()
      reader = new EmbeddedTaskReader(storage, input, positions, ends, readAhead)
      return reader
    },
    close,
  }
}

function commitLogOf(
  store: EmbeddedStore,
  { task, groupId, topics }: EmbeddedTaskSpec,
  changelog: () => PartitionLog,
): TaskCommitLog {
  let token: FenceToken | null = null
  return {
    get lost() {
      return !store.fences.holds(task, token)
    },
    async fence() {
      token = await store.fences.take(task, store.writer)
    },
    // Owners differ by their tokens, whatever their prefix.
    fenceEarlier: () => Promise.resolve(),
    async committed() {
      const found = new Map<string, CommittedPosition>()
      for (const topic of topics) {
        const committed = getCommittedOffset(store.storage, { group: groupId, topic, partition: task.partition })
        if (committed === undefined) continue
        found.set(topic, { position: offsetPosition(committed.offset), metadata: committed.metadata })
      }
      return found
    },
    begin: () => new EmbeddedTransaction({ store, task, groupId, changelog: changelog(), token }),
  }
}

function changelogOf({ storage, clock }: EmbeddedStore, log: () => PartitionLog): TaskChangelog {
  return {
    // Compaction leaves gaps and does not move the start.
    range: async () => ({ start: 0, end: log().end }),
    async *read(from, to) {
      for await (const records of readLogPages(storage, log(), from, to)) yield records.map(changelogEntry)
    },
    compact: (keep) => compactChangelog(storage, log(), { keep, nowMs: clock.now() }),
  }
}

/** It takes any key and any time. */
function outputsOf({ topics }: EmbeddedStore, ownTopics: ReadonlySet<string>): TaskOutputs {
  return {
    refusal(record) {
      const { topic: name, partition } = record
      const topic = topics.find(name)
      if (ownTopics.has(name)) return outputRefusal.ownTopic(name)
      if (partition !== null && partition >= (topic?.partitions.length ?? topics.defaultPartitions)) {
        return outputRefusal.noPartition(name, partition)
      }
      const bytes = recordBytes(record)
      const maxBytes = topic?.maxMessageBytes ?? defaultMaxMessageBytes
      return bytes > maxBytes ? outputRefusal.tooLarge(name, bytes, maxBytes) : null
    },
  }
}
