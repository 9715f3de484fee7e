import { embeddedEnvironment } from '../../src/composition.ts'
import type { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { systemRandom } from '../../src/core/ports/random.ts'
import type { Job } from '../../src/runtime/plan/defineJob.ts'
import { startJob, type RunningJob } from '../../src/runtime/job/jobRun.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { runnableJob } from '../../src/runtime/plan/runnableJob.ts'
import { runOptions } from '../../src/runtime/job/runOptions.ts'
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
