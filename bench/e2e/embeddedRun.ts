import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import type { Job } from '../../src/runtime/plan/defineJob.ts'
import type { JobResult } from '../../src/runtime/metrics/jobMetrics.ts'
import { startOnStore } from '../../test/support/startOnStore.ts'

/** One run's figures. */
export interface EmbeddedRun {
  readonly result: JobResult
  readonly recordsPerSecond: number
  /** CPU of the whole process, LevelDB's threads included. */
  readonly cpuMicrosPerRecord: number
  readonly heapMiB: number
  readonly residentMiB: number
}

/** Loads a new directory of four partitions, and runs a job on it to the end of its input. Loading is not counted. */
export async function measureEmbeddedRun(
  job: Job,
  load: (store: EmbeddedStore) => Promise<void>,
): Promise<EmbeddedRun> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-bench-'))
  const store = await EmbeddedStore.open(path.join(directory, 'log'), { clock: systemClock, partitions: 4 })
  try {
    await load(store)
    const cpu = process.cpuUsage()
    const result = await startOnStore(job, store, { directory }).finished
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
