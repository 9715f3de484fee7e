import { rowLookupPort } from '../../tables/rowLookup.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { JobLog, JobLogSpec } from '../../core/ports/jobLog.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { Random } from '../../core/ports/random.ts'
import { openProvision, provided, settingsOfSystems, type Provision } from '../../core/ports/system.ts'
import type { SettingSpecs } from '../../core/setting.ts'
import type { TaskId } from '../../core/ports/task.ts'
import type { Job } from '../../runtime/plan/defineJob.ts'
import type { JobEnvironment } from '../../runtime/job/jobEnvironment.ts'
import { frameworkSettings } from '../../runtime/settings/frameworkSettings.ts'
import { resolveSettings } from '../../runtime/settings/resolve.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import { changelogRecords } from '../../state/changelogRecords.ts'
import type { StateStore } from '../../state/stateStore.ts'
import { openTaskState } from '../../state/taskState.ts'
import { MemoryFollower, MemoryTarget, memoryTargetPort } from '../world/memoryFollower.ts'
import { memoryRowLookup } from '../world/memoryRowLookup.ts'
import type { MemoryTables } from '../world/memoryTables.ts'
import { processStateStore } from '../world/processStateStore.ts'
import type { TestProcess } from '../world/testProcess.ts'

/** What stands around one process of a job in memory. */
export interface TestSurroundings {
  readonly process: TestProcess
  readonly random: Random
  readonly log: Logger
  readonly tables: MemoryTables
  /** What sinks under `memoryTargetPort` write to. Default: one that nobody sees. */
  readonly target?: MemoryTarget
  /** What stands under the ports of the job's own systems. Default: nothing. */
  readonly provide?: readonly Provision<unknown>[] | undefined
  readonly openLog: (spec: JobLogSpec) => Promise<JobLog>
  /** The disk on which the process finds the local state of a task. */
  readonly openStore: (task: TaskId) => StateStore
}

/** The world in memory as the runtime of one process sees it. */
export function testEnvironment({
  process,
  random,
  log,
  tables,
  target = new MemoryTarget(),
  provide = [],
  openLog,
  openStore,
}: TestSurroundings): JobEnvironment {
  return {
    clock: process.clock,
    random,
    log,
    records: changelogRecords,
    openLog,
    openState: (task) => openTaskState(processStateStore(openStore(task), process), process.clock),
    provide<T extends Resource>(port: Port<T>): T {
      const doubles = [
        ...provide,
        provided(rowLookupPort, () => memoryRowLookup(tables, process)),
        provided(memoryTargetPort, () => new MemoryFollower(target, process)),
      ]
      const found = doubles.find((double) => double.port.name === port.name)
      // A port's name stands for its type.
      if (found !== undefined) return openProvision(found, undefined, 'The double of a test') as T
      throw new TidemarkError(
        'invalid-plan',
        `There is nothing under the port ${port.name} in memory: give a double for it, provide: [provided(port, () => double)].`,
      )
    },
  }
}

/** A job's settings in a test: what is given, else the defaults; neither the environment nor files are read. */
export function testSettings<Specs extends SettingSpecs>(
  job: Job<Specs>,
  settings: Readonly<Record<string, string>>,
  follow: boolean,
): ResolvedSettings<Specs> {
  // A job that declares no settings has none: its type parameter says the same. Those of its systems are asked for by them alone.
  const specs = { ...job.settings, ...settingsOfSystems(job.systems ?? []) } as Specs
  // What the file sets of systems is for where they are opened.
  const values = Object.entries(job.values ?? {}).filter(([key]) => key in frameworkSettings || key in specs)
  return resolveSettings({
    flags: new Map(Object.entries(settings)),
    environment: {},
    file: null,
    job: { ...job, path: `job ${job.name}`, specs, values: Object.fromEntries(values) },
    follow,
  })
}
