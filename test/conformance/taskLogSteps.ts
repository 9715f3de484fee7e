import type { OutputRecord, StreamRecord } from '../../src/core/record.ts'
import type { CommitMetadata } from '../../src/core/ports/task.ts'
import type { ChangelogEntry } from '../../src/core/ports/changelog.ts'
import type { TaskReader } from '../../src/core/ports/inputs.ts'
import type { EpochTransaction } from '../../src/core/ports/commitLog.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import { at } from '../support/positions.ts'
import { commitMetadata as anyMetadata } from '../support/commitMetadata.ts'

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
