/*
 * What the embedded log costs: appending, reading through a task's reader, and looking rows up, per record of 160 B.
 *
 *   node bench/micro/embeddedLog.ts [records]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EmbeddedJobLog } from '../../src/connectors/embedded/log/embeddedJobLog.ts'
import { EmbeddedRowLookup } from '../../src/connectors/embedded/log/embeddedRowLookup.ts'
import { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import type { TaskReader } from '../../src/core/ports/inputs.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'

/** µs a record. */
export interface EmbeddedLogCost {
  readonly append: number
  readonly read: number
  readonly lookup: number
}

const chunk = 20_000
const valueBytes = 160
const groupSize = 100

export async function measureEmbeddedLog(records = 200_000): Promise<EmbeddedLogCost> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-bench-'))
  const store = await EmbeddedStore.open(path.join(directory, 'log'), { clock: systemClock, partitions: 1 })
  try {
    const append = await perRecord(records, () => appendAll(store, records))
    const read = await perRecord(records, () => readAll(store))
    await loadRows(store, records)
    const lookup = await perRecord(records, () => lookUpAll(store, records))
    return { append, read, lookup }
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

async function perRecord(records: number, work: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await work()
  return ((performance.now() - startMs) * 1000) / records
}

async function appendAll(store: EmbeddedStore, records: number): Promise<void> {
  const value = Buffer.alloc(valueBytes, 'v')
  for (let from = 0; from < records; from += chunk) {
    const count = Math.min(chunk, records - from)
    await store.append(
      Array.from({ length: count }, (_, index) => ({
        topic: 'input',
        partition: null,
        key: Buffer.from(String(from + index)),
        value,
        headers: [],
        timestamp: from + index,
      })),
    )
  }
}

async function readAll(store: EmbeddedStore): Promise<void> {
  const jobLog = await EmbeddedJobLog.open(store, {
    job: 'bench',
    group: 'source',
    groupId: 'bench',
    inputs: [{ kind: 'topics', topics: ['input'] }],
    outputs: [],
    transactionalIdPrefix: 'bench',
    copartitioned: false,
  })
  const tasks: TaskLog[] = []
  await jobLog.join({
    assigned: (task) => tasks.push(task),
    rebalancing: () => Promise.resolve(),
    revoked: () => Promise.resolve(),
    failed: () => undefined,
  })
  for (const task of tasks) {
    const { start, end } = await task.inputs.range('input')
    await drain(task.inputs.read(new Map([['input', start]]), new Map([['input', end]])))
  }
  await jobLog.leave()
}

async function drain(reader: TaskReader): Promise<void> {
  while (!reader.done) {
    if (reader.next() !== undefined) continue
    await new Promise<void>((resolve) => {
      reader.whenReadable(resolve)
    })
  }
  reader.close()
}

async function loadRows(store: EmbeddedStore, rows: number): Promise<void> {
  const note = 'n'.repeat(valueBytes)
  for (let from = 0; from < rows; from += chunk) {
    await store.loadTable({
      keyspace: 'bench',
      table: 'rows',
      columns: { id: 'int', note: 'text' },
      primaryKey: [['id'], []],
      rows: Array.from({ length: Math.min(chunk, rows - from) }, (_, index) => ({ id: from + index, note })),
    })
  }
}

/** Keys in an order that has nothing to do with that of the rows. */
async function lookUpAll(store: EmbeddedStore, rows: number): Promise<void> {
  const lookup = new EmbeddedRowLookup(store.tables)
  for (let from = 0; from < rows; from += groupSize) {
    await lookup.lookupMany(
      Array.from({ length: groupSize }, (_, index) => ({
        keyspace: 'bench',
        tableName: 'rows',
        pk: ((from + index) * 7919) % rows,
      })),
    )
  }
}

if (import.meta.main) {
  const { append, read, lookup } = await measureEmbeddedLog(Number(process.argv[2] ?? 200_000))
  console.log(`append ${append.toFixed(2)} µs, read ${read.toFixed(2)} µs, look up ${lookup.toFixed(2)} µs a record`)
}
