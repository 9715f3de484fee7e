import type { Clock } from '../../core/ports/clock.ts'
import type { RunOptions } from './jobRun.ts'
import { createRestartStrategy, restartPolicy } from '../task/restart.ts'
import type { ResolvedSettings } from '../settings/resolvedSettings.ts'

/** What the settings say about a run; the rest is the command's. */
export function runOptions({ framework }: ResolvedSettings, clock: Clock): Omit<RunOptions, 'follow' | 'reset'> {
  return {
    limits: { epochBytes: framework['checkpoint.max.bytes'], jsonMaxDepth: framework['json.max.depth'] },
    checkpoint: {
      intervalMs: framework['checkpoint.interval.ms'],
      minPauseMs: framework['checkpoint.min.pause.ms'],
      timeoutMs: framework['checkpoint.timeout.ms'],
    },
    restart: createRestartStrategy(restartPolicy(framework), clock),
    followerMaxBytes: framework['follower.max.bytes'],
    warnRecords: framework['start.warn.records'],
  }
}
