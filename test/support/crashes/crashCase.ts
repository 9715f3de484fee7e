import { changelogTopicName } from '../../../src/core/ownNames.ts'
import type { OutputRecord, StreamRecord } from '../../../src/core/record.ts'
import type { SettingSpecs } from '../../../src/core/setting.ts'
import type { Job } from '../../../src/runtime/plan/defineJob.ts'
import type { JobEnvironment } from '../../../src/runtime/job/jobEnvironment.ts'
import { startJob, type RunningJob } from '../../../src/runtime/job/startJob.ts'
import { runnableJob } from '../../../src/runtime/plan/runnableJob.ts'
import { runOptions } from '../../../src/runtime/job/runOptions.ts'
import { testSettings } from '../../../src/testing/kit/testEnvironment.ts'
import { Disk, openOnDisk } from '../../connectors/embedded/diskStorage.ts'

/** Both topics and tasks. */
export const partitions = 2
/** So many input records are one stored batch. */
const batchRecords = 5

/** A job with its input, and what is known of its results without running it. */
export interface CrashFixture<Specs extends SettingSpecs> {
  readonly job: Job<Specs>
  readonly settings: Readonly<Record<string, string>>
  readonly inputTopic: string
  readonly groupId: string
  /** Results and dead letters. */
  readonly outputTopics: readonly string[]
  /** Each has the header `id`, another one for each, which its result or dead letter carries on. */
  readonly records: readonly OutputRecord[]
  readonly tables: readonly unknown[]
  /** The keyed state, as texts by key, after these inputs of one partition. */
  stateAfter(inputs: readonly StreamRecord[]): ReadonlyMap<string, string>
}

/** A fixture that is ready to be run again and again. */
export interface CrashCase extends Omit<CrashFixture<SettingSpecs>, 'job' | 'settings'> {
  readonly changelogTopic: string
  /** Input and tables; synced. */
  readonly base: Disk
  start(environment: JobEnvironment): RunningJob
}

export async function crashCase<Specs extends SettingSpecs>(fixture: CrashFixture<Specs>): Promise<CrashCase> {
  const { job, records, tables, inputTopic } = fixture
  const base = new Disk()
  const store = await openOnDisk(base, { partitions })
  await store.createTopic(inputTopic)
  for (let from = 0; from < records.length; from += batchRecords) {
    await store.append(records.slice(from, from + batchRecords))
  }
  for (const table of tables) await store.loadTable(table)
  // Input is long on the disk, also for a build that forgets to sync.
  base.synced = base.written
  const settings = testSettings(job, { 'restart.strategy': 'none', ...fixture.settings }, false)
  return {
    ...fixture,
    changelogTopic: changelogTopicName({ job: job.name, group: 'source' }),
    base,
    start: (environment) =>
      startJob(runnableJob(job, settings), environment, {
        ...runOptions(settings, environment.clock),
        follow: false,
        reset: null,
      }),
  }
}
