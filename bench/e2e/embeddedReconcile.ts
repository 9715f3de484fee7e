/*
 * The reconcile job on the embedded world: distinct keys, rows of about 200 B, 9 % misses, exactly-once with synced commits
 * every second. Loading is not counted.
 *
 *   node bench/e2e/embeddedReconcile.ts [records]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import job from '../../jobs/reconcile.ts'
import { EmbeddedStore } from '../../src/connectors/embedded/embeddedStore.ts'
import { embeddedEnvironment } from '../../src/composition.ts'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import type { OutputRecord } from '../../src/core/record.ts'
import { startJob } from '../../src/runtime/jobRun.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import type { JobResult } from '../../src/runtime/progress.ts'
import { runnableJob } from '../../src/runtime/runnableJob.ts'
import { runOptions } from '../../src/runtime/runOptions.ts'
import { resolveSettings } from '../../src/runtime/settings/resolve.ts'

const keyspace = 'bench'
const table = 'users'
const chunk = 20_000

/** One run's figures. */
export interface EmbeddedReconcile {
  readonly result: JobResult
  readonly recordsPerSecond: number
  /** CPU of the whole process, LevelDB's threads included. */
  readonly cpuMicrosPerRecord: number
  readonly heapMiB: number
  readonly residentMiB: number
}

/** Loads `records` messages and as many rows into a new directory, and reconciles them. */
export async function measureEmbeddedReconcile(records = 200_000): Promise<EmbeddedReconcile> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-bench-'))
  const store = await EmbeddedStore.open(path.join(directory, 'log'), { clock: systemClock, partitions: 4 })
  try {
    await load(store, records)
    const settings = resolveSettings({
      flags: new Map(),
      environment: {},
      file: null,
      job: { path: 'jobs/reconcile.ts', name: 'reconcile', specs: job.settings ?? {} },
    })
    const environment = embeddedEnvironment(store, {
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      dataDirectory: directory,
      stateBackend: 'file:',
    })
    const cpu = process.cpuUsage()
    const running = startJob(runnableJob(job, settings), environment, {
      ...runOptions(settings, systemClock),
      follow: false,
      reset: null,
    })
    const result = await running.finished
    const { user, system } = process.cpuUsage(cpu)
    const { heapUsed, rss } = process.memoryUsage()
    return {
      result,
      recordsPerSecond: (result.records * 1000) / result.durationMs,
      cpuMicrosPerRecord: (user + system) / result.records,
      heapMiB: heapUsed / 2 ** 20,
      residentMiB: rss / 2 ** 20,
    }
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
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
