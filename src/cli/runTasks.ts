import type { Clock } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { JobEnvironment } from '../runtime/job/jobEnvironment.ts'
import { startJob } from '../runtime/job/startJob.ts'
import type { JobMetrics, JobResult } from '../runtime/metrics/jobMetrics.ts'
import { runOptions, type RunOptions } from '../runtime/job/runOptions.ts'
import { guards } from '../runtime/attempt/guards.ts'
import { runnableJob } from '../runtime/plan/runnableJob.ts'
import type { CommandContext, CommandJob } from './commandContext.ts'
import { showProgress } from './output/showProgress.ts'

type RuntimeOption = 'follow' | 'reset' | 'acceptTopics' | 'allowDropped' | 'dropInputs' | 'skips' | 'restarting'

/** What `run` was asked for: of the runtime, whose words it is told in, and of the command itself. */
export interface RunRequest extends CommandJob, Required<Pick<RunOptions, RuntimeOption>> {
  /** Clear the log first. Held log only. */
  readonly fresh: boolean
  /** Size of the generated sample; null: the bundled one. Held log only. */
  readonly records: number | null
  /** Worker processes on this machine; 1: this one does the work. Shared log only. */
  readonly parallelism: number
  /** False: --yes was given. */
  readonly ask: boolean
}

/**
 * Runs the tasks that this process is given, in any world. The first signal finishes the epochs, commits, and ends the run
 * cleanly; a second one leaves at once, which loses nothing that was committed.
 */
export async function runTasks(
  { io }: CommandContext,
  request: RunRequest,
  environment: JobEnvironment,
  { log, metrics }: { readonly log: Logger; readonly metrics: JobMetrics },
): Promise<JobResult> {
  const { loaded, settings, follow, reset, acceptTopics, allowDropped, dropInputs, skips, restarting } = request
  const progress = showProgress(io.stderr, follow || io.worker !== null)
  const running = startJob(runnableJob(loaded.job, settings), environment, {
    ...runOptions(settings, io.clock),
    // These alone: the command has other words of its own, and the runtime takes its options as they are.
    ...{ follow, reset, acceptTopics, allowDropped, dropInputs, skips, restarting },
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
function stayAlive(clock: Clock): () => void {
  let timer = clock.after(hourMs, again)
  function again(): void {
    timer = clock.after(hourMs, again)
  }
  return () => {
    timer.cancel()
  }
}
