import type { Limits } from '../../core/context.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { RecordPosition } from '../../core/record.ts'
import type { StartMode } from '../../core/startMode.ts'
import type { JobMetrics } from '../metrics/jobMetrics.ts'
import type { ResolvedSettings } from '../settings/resolvedSettings.ts'
import { createRestartStrategy, restartPolicy, type RestartStrategy } from '../task/restart.ts'

export interface CheckpointSettings {
  /** Longest epoch. */
  readonly intervalMs: number
  /** Least time from a commit to the next barrier. */
  readonly minPauseMs: number
  /** Longest time from barrier to commit. */
  readonly timeoutMs: number
}

export interface RunOptions {
  /** False: a bounded run, which ends at the end offsets read at its start. */
  readonly follow: boolean
  /** Begin anew there, with empty state, in every partition that exists now; null: go on. */
  readonly reset: StartMode | null
  /** Topics that were made anew and hold the same records, as in a cluster that was copied: default none. */
  readonly acceptTopics?: readonly string[]
  /** State that no step claims is left unread, and does not stop the start; default false. */
  readonly allowDropped?: boolean
  /** Inputs that the job had and goes on without: default none. */
  readonly dropInputs?: readonly string[]
  /** Where what cannot be read of the inputs is passed, as a dead letter with its position: default nowhere. */
  readonly skips?: readonly RecordPosition[]
  /**
   * Resolves when the process has told of every promise that was rejected so far and that nobody waits for: an epoch in which
   * one was made is not committed. Absent: nobody is told.
   */
  readonly turnEnds?: () => Promise<void>
  readonly limits: Limits
  readonly checkpoint: CheckpointSettings
  readonly restart: RestartStrategy
  /** Bytes in the write-ahead log of a sink and task at which the task takes no more input; default: no limit. */
  readonly followerMaxBytes?: number
  /** A stop is followed by a start: where the log can keep this process's tasks for it until then, it does. */
  readonly restarting?: boolean
  /** Backlog above which a first start from earliest warns. */
  readonly warnRecords: number
  /** Where the run is measured; default: one of its own. */
  readonly metrics?: JobMetrics
  /** Called after each commit and recovery. */
  onProgress?(metrics: JobMetrics): void
}

/** The limits that operators share, from the settings. */
export function limitsOf({ framework }: ResolvedSettings): Limits {
  return { epochBytes: framework['checkpoint.max.bytes'], jsonMaxDepth: framework['json.max.depth'] }
}

export function checkpointOf({ framework }: ResolvedSettings): CheckpointSettings {
  return {
    intervalMs: framework['checkpoint.interval.ms'],
    minPauseMs: framework['checkpoint.min.pause.ms'],
    timeoutMs: framework['checkpoint.timeout.ms'],
  }
}

/** What the settings say about a run; the rest is the command's. */
export function runOptions(settings: ResolvedSettings, clock: Clock): Omit<RunOptions, 'follow' | 'reset'> {
  const { framework } = settings
  return {
    limits: limitsOf(settings),
    checkpoint: checkpointOf(settings),
    restart: createRestartStrategy(restartPolicy(framework), clock),
    followerMaxBytes: framework['follower.max.bytes'],
    warnRecords: framework['start.warn.records'],
  }
}
