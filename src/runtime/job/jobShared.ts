import type { ControlRecord } from '../../core/controlRecord.ts'
import type { TidemarkError } from '../../core/errors.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { StartMode } from '../../core/startMode.ts'
import type { SinkFollower } from '../follower/taskFollowers.ts'
import type { JobMetrics } from '../metrics/jobMetrics.ts'
import type { Outages } from '../task/outages.ts'
import type { Plan } from '../plan/plan.ts'
import type { RunnableJob } from '../plan/runnableJob.ts'
import type { JobEnvironment } from './jobEnvironment.ts'
import type { RunOptions } from './runOptions.ts'

/** What all tasks of a running job share: its world, how it is run, and what it was planned and opened with. */
export interface JobShared
  extends
    Pick<JobEnvironment, 'clock' | 'random' | 'log' | 'records' | 'openState'>,
    Pick<RunOptions, 'follow' | 'limits' | 'checkpoint' | 'restart' | 'turnEnds'>,
    Required<Pick<RunOptions, 'allowDropped' | 'followerMaxBytes'>> {
  readonly job: RunnableJob
  readonly plan: Plan
  /** The source group's uid. */
  readonly group: string
  readonly partitionCounts: ReadonlyMap<string, number>
  /** The start mode of the source that reads a topic. */
  startMode(topic: string): StartMode
  /** `--accept-topic`: topics that go on at their committed offsets, although others have had their names. */
  readonly acceptTopics: ReadonlySet<string>
  /** `--drop-input`: inputs whose last positions are given up. */
  readonly dropInputs: ReadonlySet<string>
  /** An input of the last commit is left behind; told once. */
  dropped(topic: string, why: string): void
  /** The job's control record; null: there never was a reset. */
  control(): Promise<ControlRecord | null>
  readonly outages: Outages
  /** Of the sinks that follow the commits, by uid. */
  readonly followers: ReadonlyMap<string, SinkFollower>
  /** Told synchronously of what happens to the tasks. */
  readonly metrics: JobMetrics
  /** A task stands at this epoch: it has recovered, or committed it. */
  progressed(epoch: number): void
  /** A connected client of the world. */
  open<T extends Resource>(port: Port<T>): T
  /** Ends the job with this error: a guard's at once, committing nothing more. */
  fail(error: TidemarkError): void
}
