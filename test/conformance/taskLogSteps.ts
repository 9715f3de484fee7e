import { afterEach, beforeEach } from 'vitest'
import type { OutputRecord, StreamRecord } from '../../src/core/record.ts'
import type { CommitMetadata } from '../../src/core/ports/task.ts'
import type { ChangelogEntry } from '../../src/core/ports/changelog.ts'
import type { TaskReader } from '../../src/core/ports/inputs.ts'
import type { EpochTransaction } from '../../src/core/ports/commitLog.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import { at } from '../support/positions.ts'
import { commitMetadata as anyMetadata } from '../support/commitMetadata.ts'

export interface TaskLogWorld {
  /** The log of one task of the group; each call is another owner of that task. */
  taskLog(partition: number): Promise<TaskLog>
  /** Appends committed records, as another producer would. */
  append(records: readonly OutputRecord[]): Promise<void>
  /** What a reader of committed records sees in a partition of a topic; nothing when the topic does not exist. */
  readAll(topic: string, partition: number): Promise<readonly StreamRecord[]>
  /** Removes a record from the middle of a partition, as compaction does: a gap is left. Absent where only time does that. */
  removeRecord?(topic: string, partition: number, offset: number): Promise<void>
  /** Ends the process without closing or committing anything, and opens what is left. */
  crash(): Promise<void>
  close(): Promise<void>
  /** Records that readers have fetched so far, and how many they may fetch ahead; absent where nothing is fetched ahead. */
  readonly readAhead?: { fetched(): number; readonly limit: number }
}

/** In what a log may differ. */
export interface TaskLogTraits {
  /** Offsets that a commit takes in each partition it wrote, besides its records. Default 0. */
  readonly marker?: 0 | 1
  /** False: it compacts itself, when it likes, so that gaps cannot be made and `compactChangelog` does nothing. */
  readonly compactsWhenAsked?: boolean
  /** True: a topic has an id, which another one of its name has not. */
  readonly topicIds?: boolean
}

/** What every task log must do; each implementation runs it. */

/** A world of its own for each test of a suite, and what the tests do in it. */
export interface TestedLog {
  readonly world: () => TaskLogWorld
  /** The log of a task that was just fenced. */
  readonly fenced: (partition?: number) => Promise<TaskLog>
  /** Appends so many orders, the first one of this number and time. */
  readonly orders: (count: number, from?: number, timestamp?: number) => Promise<void>
  readonly valuesOf: (topic: string, partition?: number) => Promise<readonly string[]>
}

export function testedLog(makeWorld: () => Promise<TaskLogWorld>): TestedLog {
  let world: TaskLogWorld
  beforeEach(async () => {
    world = await makeWorld()
  })
  afterEach(async () => {
    await world.close()
  })
  return {
    world: () => world,
    async fenced(partition = 0) {
      const log = await world.taskLog(partition)
      await log.commitLog.fence()
      return log
    },
    orders: (count, from = 0, timestamp = 1_000) =>
      world.append(
        Array.from({ length: count }, (_, n) => output('orders', `order-${String(from + n)}`, timestamp + n)),
      ),
    valuesOf: async (topic, partition = 0) => (await world.readAll(topic, partition)).map(valueOf),
  }
}

// The steps that the conformance tests of a task log are made of.

export function output(topic: string, value: string, timestamp = 1_000): OutputRecord {
  return { topic, partition: 0, key: null, value: Buffer.from(value), headers: [], timestamp }
}

export function entry(key: string, value: string | null): ChangelogEntry {
  return { key: Buffer.from(key), value: value === null ? null : Buffer.from(value) }
}

export function valueOf(record: StreamRecord | undefined): string {
  return record?.raw?.toString() ?? 'null'
}

/** Of a task with two inputs. */
export function commitMetadata(part: Partial<CommitMetadata>): CommitMetadata {
  return anyMetadata({ inputs: 2, partitionCounts: { orders: 2, payments: 2 }, ...part })
}

/** One epoch to commit. */
export interface Epoch {
  readonly epoch: number
  readonly position: number
  readonly outputs?: readonly string[]
  readonly changelog?: readonly ChangelogEntry[]
}

export async function commit(log: TaskLog, { epoch, position, outputs = [], changelog = [] }: Epoch): Promise<void> {
  const transaction = log.commitLog.begin()
  for (const value of outputs) transaction.send(output('results', value), 'exactly-once')
  const changelogEnd = await transaction.prepare(changelog)
  await transaction.commit(at({ orders: position, payments: 0 }), commitMetadata({ epoch, changelogEnd }))
}

export async function finish(transaction: EpochTransaction, position: number): Promise<void> {
  const changelogEnd = await transaction.prepare([])
  await transaction.commit(at({ orders: position, payments: 0 }), commitMetadata({ changelogEnd }))
}

export async function readChangelog(log: TaskLog, from = 0, to?: number): Promise<readonly ChangelogEntry[]> {
  const found: ChangelogEntry[] = []
  for await (const batch of log.changelog.read(from, to ?? (await log.changelog.range()).end)) found.push(...batch)
  return found
}

export function readable(reader: TaskReader): Promise<void> {
  return new Promise((resolve) => {
    reader.whenReadable(resolve)
  })
}

/** Reads to the ends. */
export async function take(reader: TaskReader): Promise<readonly StreamRecord[]> {
  const records: StreamRecord[] = []
  while (!reader.done) {
    const record = reader.next()
    if (record !== undefined) records.push(record)
    else if (reader.failure !== null) throw reader.failure
    else if (!reader.done) await readable(reader)
  }
  return records
}

export async function takeSome(reader: TaskReader, count: number): Promise<readonly StreamRecord[]> {
  const records: StreamRecord[] = []
  while (records.length < count) {
    const record = reader.next()
    if (record !== undefined) records.push(record)
    else if (reader.failure !== null) throw reader.failure
    else await readable(reader)
  }
  return records
}
