import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EmbeddedStore } from '../../src/connectors/embedded/embeddedStore.ts'
import { embeddedEnvironment } from '../../src/composition.ts'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import type { Job } from '../../src/runtime/defineJob.ts'
import { startJob } from '../../src/runtime/jobRun.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import type { JobResult } from '../../src/runtime/progress.ts'
import { runnableJob } from '../../src/runtime/runnableJob.ts'
import { runOptions } from '../../src/runtime/runOptions.ts'
import { resolveSettings } from '../../src/runtime/settings/resolve.ts'

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
    const settings = resolveSettings({
      flags: new Map(),
      environment: {},
      file: null,
      job: { path: `${job.name}.ts`, name: job.name, specs: job.settings ?? {} },
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
