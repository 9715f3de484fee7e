/*
 * The reconcile job on the embedded world: distinct keys, rows of about 200 B, 9 % misses, exactly-once with synced commits
 * every second. Loading is not counted.
 *
 *   node bench/e2e/embeddedReconcile.ts [records]
 */
import job from '../../jobs/reconcile.ts'
import type { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import type { OutputRecord } from '../../src/core/record.ts'
import { measureEmbeddedRun, type EmbeddedRun } from './embeddedRun.ts'

const keyspace = 'bench'
const table = 'users'
const chunk = 20_000

/** Loads `records` messages and as many rows into a new directory, and reconciles them. */
export function measureEmbeddedReconcile(records = 200_000): Promise<EmbeddedRun> {
  return measureEmbeddedRun(job, (store) => load(store, records))
}

async function load(store: EmbeddedStore, records: number): Promise<void> {
  const note = 'n'.repeat(110)
  for (let from = 0; from < records; from += chunk) {
    const indexes = Array.from({ length: Math.min(chunk, records - from) }, (_, index) => from + index)
    await store.loadTable({
      keyspace,
      table,
      columns: { user_id: 'text', region: 'text', name: 'text', age: 'int', note: 'text' },
      primaryKey: [['user_id'], ['region']],
      rows: indexes.map((index) => ({
        user_id: `user-${String(index)}`,
        region: 'eu',
        name: `name ${String(index)}`,
        age: index % 90,
        note,
      })),
    })
    await store.append(indexes.map((index) => message(index, records)))
  }
}

/** Keys in an order that has nothing to do with that of the rows; every eleventh has none. */
function message(index: number, rows: number): OutputRecord {
  const about = (index * 7919) % rows
  const userId = index % 11 === 0 ? `gone-${String(index)}` : `user-${String(about)}`
  const value = `{"keyspace":"${keyspace}","tableName":"${table}","primaryKey":{"user_id":"${userId}","region":"eu"},"payload":{"name":"name ${String(about)}","age":${String(about % 90)}}}`
  return {
    topic: 'input-topic',
    partition: null,
    key: Buffer.from(userId),
    value: Buffer.from(value),
    headers: [],
    timestamp: 1_700_000_000_000 + index,
  }
}

if (import.meta.main) {
  const measured = await measureEmbeddedReconcile(Number(process.argv[2] ?? 200_000))
  const { result, recordsPerSecond, cpuMicrosPerRecord, heapMiB, residentMiB } = measured
  const { phases, epochs, gate, records, durationMs } = result
  console.log(`${String(records)} records in ${String(durationMs)} ms: ${recordsPerSecond.toFixed(0)} records/s`)
  console.log(
    `CPU ${cpuMicrosPerRecord.toFixed(1)} µs a record, heap ${heapMiB.toFixed(0)} MiB, resident ${residentMiB.toFixed(0)} MiB`,
  )
  console.log(
    `${String(epochs)} epochs; emit ${String(phases.emitMs)} ms, drain ${String(phases.drainMs)} ms, commit ${String(phases.commitMs)} ms (4 tasks, side by side); gate closed ${String(gate.closures)} times`,
  )
}
