import type { ChangelogRecords } from '../../core/changelogRecords.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { Limits } from '../../core/context.ts'
import type { ControlRecord } from '../../core/controlRecord.ts'
import type { TidemarkError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { Random } from '../../core/ports/random.ts'
import type { StartMode } from '../../core/startMode.ts'
import type { SinkFollower } from '../follower/taskFollowers.ts'
import type { CommittedEpoch } from '../task/epoch.ts'
import type { AttemptFlow } from '../attempt/attemptContext.ts'
import type { Outages } from '../task/outages.ts'
import type { Plan } from '../plan/plan.ts'
import type { RunnableJob } from '../plan/runnableJob.ts'
import type { Recovered } from '../task/recovery.ts'
import type { RestartStrategy } from '../task/restart.ts'
import type { CheckpointSettings } from './runOptions.ts'

/** What happens to the tasks, for progress, tallies and metrics. Called synchronously; must not throw. */
export interface JobEvents {
  /** `backlog`: records up to the end of the inputs at that moment. */
  recovered(partition: number, recovered: Recovered, backlog: number): void
  committed(partition: number, result: CommittedEpoch, tallies: ReadonlyMap<string, number>, flow: AttemptFlow): void
  /** `records`: emitted in the epoch that was given up. */
  aborted(error: TidemarkError, records: number): void
  /** Records that a bounded run has left behind transactions that are not decided, at its end. */
  undecided(partition: number, records: number): void
  /** The restart strategy lets the task go on after this failure. */
  restarting(error: TidemarkError): void
}

/** What all tasks of a running job share. */
export interface JobShared {
  readonly job: RunnableJob
  readonly plan: Plan
  /** The source group's uid. */
  readonly group: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly limits: Limits
  readonly checkpoint: CheckpointSettings
  readonly restart: RestartStrategy
  readonly records: ChangelogRecords
  readonly partitionCounts: ReadonlyMap<string, number>
  readonly copartitioned: boolean
  /** The start mode of the source that reads a topic. */
  startMode(topic: string): StartMode
  /** Topics that were made anew and hold the same records: they go on at their committed offsets. */
  readonly acceptTopics: ReadonlySet<string>
  /** State that no step claims is left unread, and does not stop the start. */
  readonly allowDropped: boolean
  /** Inputs whose last positions are given up. */
  readonly dropInputs: ReadonlySet<string>
  /** An input of the last commit is left behind; told once. */
  dropped(topic: string, why: string): void
  /**
   * Resolves when the process has told of every promise that was rejected so far and that nobody waits for: an epoch in which
   * one was made is not committed. Null: nobody is told.
   */
  readonly turnEnds: (() => Promise<void>) | null
  /** The job's control record; null: there never was a reset. */
  control(): Promise<ControlRecord | null>
  readonly outages: Outages
  /** Of the sinks that follow the commits, by uid. */
  readonly followers: ReadonlyMap<string, SinkFollower>
  /** See `TaskFollowersOptions.maxBytes`. */
  readonly followerMaxBytes: number
  readonly events: JobEvents
  /** A connected client of the world. */
  open<T extends Resource>(port: Port<T>): T
  /** Stops the job because of a broken invariant that no task can answer for. */
  halt(error: TidemarkError): void
}
