import { embeddedEnvironment } from '../../src/composition.ts'
import type { EmbeddedStore } from '../../src/connectors/embedded/embeddedStore.ts'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import type { Job } from '../../src/runtime/defineJob.ts'
import { startJob, type RunningJob } from '../../src/runtime/jobRun.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { runnableJob } from '../../src/runtime/runnableJob.ts'
import { runOptions } from '../../src/runtime/runOptions.ts'
import { resolveSettings } from '../../src/runtime/settings/resolve.ts'

/** Starts a job on an open store with the default settings, its state in files below the directory. */
export function startOnStore(
  job: Job,
  store: EmbeddedStore,
  directory: string,
  options: Pick<Parameters<typeof startJob>[2], 'follow' | 'metrics'>,
): RunningJob {
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
  return startJob(runnableJob(job, settings), environment, {
    ...runOptions(settings, systemClock),
    reset: null,
    ...options,
  })
}
