import { jobEnvironment } from '../../src/composition.ts'
import { openEmbeddedLog } from '../../src/connectors/embedded/log/embeddedJobLogs.ts'
import { EmbeddedRowLookup } from '../../src/connectors/embedded/log/embeddedRowLookup.ts'
import type { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { systemRandom } from '../../src/core/ports/random.ts'
import type { JobLogs } from '../../src/core/ports/jobLogs.ts'
import type { Resource } from '../../src/core/ports/port.ts'
import type { JobEnvironment } from '../../src/runtime/job/jobEnvironment.ts'
import { startJob, type RunningJob } from '../../src/runtime/job/startJob.ts'
import { runOptions } from '../../src/runtime/job/runOptions.ts'
import type { Job } from '../../src/runtime/plan/defineJob.ts'
import { runnableJob } from '../../src/runtime/plan/runnableJob.ts'
import { testSettings } from '../../src/testing/kit/testEnvironment.ts'

export interface StartOnStoreOptions extends Partial<Parameters<typeof startJob>[2]> {
  /** Where the state of tasks stands in files; absent: in memory, and gone with the job. */
  readonly directory?: string
  /** Beside the defaults; no failure is answered by a restart. */
  readonly settings?: Readonly<Record<string, string>>
  readonly change?: (world: JobEnvironment) => JobEnvironment
}

/** The embedded world of an open store. */
export function worldOf(
  store: EmbeddedStore,
  {
    directory,
    ...ports
  }: { readonly directory?: string | undefined } & Partial<Pick<JobEnvironment, 'clock' | 'random'>> = {},
): JobEnvironment {
  const logs: Pick<JobLogs, 'open' | 'onFailure'> = {
    open: (spec) => openEmbeddedLog(store, spec),
    onFailure: (failed) => store.writer.onFailure(failed),
  }
  // The jobs of these tests open rows and nothing else.
  const rows = (): Resource => new EmbeddedRowLookup(store.tables)
  return jobEnvironment(logs, rows as JobEnvironment['provide'], {
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    dataDirectory: directory ?? '',
    stateBackend: directory === undefined ? 'memory:' : 'file:',
    slot: null,
    controlAddress: null,
    ...ports,
  })
}

/** Starts a job on an open store. */
export function startOnStore(job: Job, store: EmbeddedStore, options: StartOnStoreOptions = {}): RunningJob {
  const { directory, settings = {}, change = (world) => world, ...more } = options
  const resolved = testSettings(job, { 'restart.strategy': 'none', ...settings }, false)
  return startJob(runnableJob(job, resolved), change(worldOf(store, { directory })), {
    ...runOptions(resolved, systemClock),
    follow: false,
    reset: null,
    ...more,
  })
}
