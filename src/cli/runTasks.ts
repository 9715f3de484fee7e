import type { RecordPosition } from '../core/record.ts'
import type { StartMode } from '../core/startMode.ts'
import type { ResolvedSettings } from '../runtime/settings/resolvedSettings.ts'
import type { LoadedJob } from './loadJob.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { JobEnvironment } from '../runtime/job/jobEnvironment.ts'
import { startJob } from '../runtime/job/startJob.ts'
import type { JobMetrics, JobResult } from '../runtime/metrics/jobMetrics.ts'
import { runOptions } from '../runtime/job/runOptions.ts'
import { guards } from '../runtime/attempt/guards.ts'
import { runnableJob } from '../runtime/plan/runnableJob.ts'
import type { CommandContext } from './commandContext.ts'
import { showProgress } from './output/showProgress.ts'

/** What `run` was asked for. */
export interface RunRequest {
  readonly loaded: LoadedJob
  readonly settings: ResolvedSettings
  /** False: a bounded run. */
  readonly follow: boolean
  readonly reset: StartMode | null
  /** Topics that were made anew and go on at their committed offsets. */
  readonly acceptTopics: readonly string[]
  /** Start although there is state that no step claims. */
  readonly allowDropped: boolean
  /** Inputs that the job had and goes on without. */
  readonly dropInputs: readonly string[]
  /** Where what cannot be read is passed. Shared log only. */
  readonly skips: readonly RecordPosition[]
  /** Clear the log first. Held log only. */
  readonly fresh: boolean
  /** Size of the generated sample; null: the bundled one. Held log only. */
  readonly records: number | null
  /** Worker processes on this machine; 1: this one does the work. Shared log only. */
  readonly parallelism: number
  /** A stop is followed by a start: the consumer group keeps the partitions for it. Shared log only. */
  readonly restarting: boolean
  /** False: --yes was given. */
  readonly ask: boolean
}

/**
 * Runs the tasks that this process is given, in any world. The first signal finishes the epochs, commits, and ends the run
 * cleanly; a second one leaves at once, which loses nothing that was committed.
 */
export async function runTasks(
  { io }: CommandContext,
  { loaded, settings, follow, reset, acceptTopics, allowDropped, dropInputs, skips, restarting }: RunRequest,
  environment: JobEnvironment,
  { log, metrics }: { readonly log: Logger; readonly metrics: JobMetrics },
): Promise<JobResult> {
  const progress = showProgress(io.stderr, follow || io.worker !== null)
  const running = startJob(runnableJob(loaded.job, settings), environment, {
    ...runOptions(settings, io.clock),
    follow,
    reset,
    acceptTopics,
    allowDropped,
    dropInputs,
    skips,
    restarting,
    turnEnds: () => new Promise((resolve) => io.clock.soon(resolve)),
    metrics,
    onProgress: progress.update,
  })
  // Kept when the run has ended: what then still fails is the job's as well, and is told of as everything else is.
  let isOver = false
  let isTold = false
  io.onStray((error) => {
    if (!isOver) running.fail(guards.unawaitedWork(error))
    else if (!isTold) {
      isTold = true
      log.error('The job went on after its run had ended, and failed', { error: guards.unawaitedWork(error) })
      io.failLate()
    }
  })
  let isStopping = false
  const letEnd = stayAlive(io.clock)
  const release = io.onStop(() => {
    if (isStopping) io.exitAtOnce(1)
    isStopping = true
    log.info('Stopping: the current epochs are finished and committed. A second signal leaves at once')
    running.stop()
  })
  try {
    return await running.finished
  } finally {
    isOver = true
    progress.end()
    release()
    letEnd()
  }
}

const hourMs = 3_600_000

/** A job that waits for an embedded topic waits for nothing that the event loop knows of, and Node would end it. */
export function stayAlive(clock: Clock): () => void {
  let timer = clock.after(hourMs, again)
  function again(): void {
    timer = clock.after(hourMs, again)
  }
  return () => {
    timer.cancel()
  }
}
