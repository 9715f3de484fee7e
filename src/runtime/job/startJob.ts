import { TidemarkError } from '../../core/errors.ts'
import type { EarlierRuns, JobLog } from '../../core/ports/jobLog.ts'
import { formatPosition, type RecordPosition } from '../../core/record.ts'
import { closeQuietly } from '../../core/ports/logger.ts'
import { JobClients } from './jobClients.ts'
import { checkIdentity } from './jobIdentity.ts'
import type { JobEnvironment } from './jobEnvironment.ts'
import type { JobShared } from './jobShared.ts'
import { JobTasks } from './jobTasks.ts'
import { JobMetrics, type JobResult } from '../metrics/jobMetrics.ts'
import { Outages } from '../task/outages.ts'
import { planJob, type Plan } from '../plan/plan.ts'
import { startModeOf } from '../plan/plannedSource.ts'
import { resetJob } from './reset.ts'
import type { RunOptions } from './runOptions.ts'
import type { RunnableJob } from '../plan/runnableJob.ts'

/** A started job. */
export interface RunningJob {
  /** Resolves when the job has ended or was stopped cleanly; rejects with the error that stopped it. */
  readonly finished: Promise<JobResult>
  readonly metrics: JobMetrics
  /** Finishes the current epochs, commits, and ends. Idempotent. */
  stop(): void
  /** Ends the job with an error that was met outside of its tasks: a guard's at once, committing nothing more. */
  fail(error: TidemarkError): void
}

const sourceGroup = 'source'

/**
 * Runs a job: plans it, connects what it uses, joins its source group, and runs a task for every partition it is given,
 * until the input ends (bounded), it is stopped, or a task gives up. Clients are connected once and closed once, also after
 * an error.
 */
export function startJob(job: RunnableJob, environment: JobEnvironment, options: RunOptions): RunningJob {
  return new JobRun(job, environment, options)
}

class JobRun implements RunningJob {
  readonly finished: Promise<JobResult>
  readonly metrics: JobMetrics
  readonly #job: RunnableJob
  readonly #environment: JobEnvironment
  readonly #options: RunOptions
  readonly #clients = new JobClients()
  #jobLog: JobLog | null = null
  #tasks: JobTasks | null = null
  #joining = false
  #leaving: Promise<void> | null = null
  #stopped = false
  /** Inputs that were told of as dropped. */
  readonly #dropped = new Set<string>()
  #failure: TidemarkError | null = null
  #warned = false
  #wake: () => void = () => undefined

  constructor(job: RunnableJob, environment: JobEnvironment, options: RunOptions) {
    this.#job = job
    this.#environment = environment
    this.#options = options
    this.metrics = options.metrics ?? new JobMetrics(job.name, environment.clock)
    this.finished = this.metrics.during(this.#run())
  }

  async #run(): Promise<JobResult> {
    const release = this.#environment.onFailure?.((error) => {
      this.fail(error)
    })
    try {
      await this.#runTasks()
    } finally {
      release?.()
      await this.#tasks?.close()
      await this.#leave()
      await this.#clients.close(this.#environment.log)
    }
    if (this.#failure !== null) throw this.#failure
    return this.metrics.result(this.#stopped ? 'stopped' : 'completed')
  }

  stop(): void {
    this.#stopped = true
    this.#tasks?.stop()
    // It has no task yet, and a join may wait for the other processes' epochs.
    if (this.#joining) void this.#leave()
    this.#wake()
  }

  /** A broken invariant ends all tasks at once; after any other failure the others finish their epochs. */
  fail(error: TidemarkError): void {
    this.#failure ??= error
    this.metrics.failing(this.#failure)
    if (error.kind === 'guard') this.#tasks?.halt(error)
    else this.#tasks?.stop()
    this.#wake()
  }

  #leave(): Promise<void> {
    const jobLog = this.#jobLog
    // What is done, or has failed, does not come back by itself.
    const restarting = this.#options.restarting === true && this.#stopped && this.#failure === null
    this.#leaving ??= closeQuietly(
      'the source group',
      jobLog === null ? null : { close: () => jobLog.leave({ restarting }) },
      this.#environment.log,
    )
    return this.#leaving
  }

  async #runTasks(): Promise<void> {
    const { clock, random, log } = this.#environment
    const { reset } = this.#options
    const plan = planJob(this.#job, { clock, random, log, limits: this.#options.limits })
    this.metrics.planned(plan)
    await this.#clients.connect(plan.ports, this.#environment)
    await this.#clients.follow(plan.followers)
    this.metrics.connected(this.#clients.named)
    const jobLog = await this.#environment.openLog({
      job: this.#job.name,
      group: sourceGroup,
      groupId: plan.groupId,
      inputs: plan.sources.map((source) => source.topics),
      dropInputs: this.#options.dropInputs ?? [],
      skips: this.#options.skips ?? [],
      outputs: [...new Set(plan.sinks.flatMap(({ spec }) => spec.topics))],
      transactionalIdPrefix: plan.transactionalIdPrefix,
      copartitioned: plan.copartitioned,
      follows: plan.followers.length > 0,
      // A reset is how a name is taken over.
      ...(reset === null ? { admit: (earlier) => this.#admit(earlier, plan) } : {}),
    })
    this.#jobLog = jobLog
    for (const topic of jobLog.partitionCounts.keys()) startModeOf(this.#job.name, plan.sources, topic)
    checkSkips(this.#job.name, this.#options.skips ?? [], jobLog.partitionCounts)
    if (reset !== null && !this.#stopped) {
      await resetJob(jobLog, reset, { ...this.#environment, groupId: plan.groupId })
    }
    const tasks = new JobTasks(this.#shared(plan, jobLog))
    this.#tasks = tasks
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    if (this.#stopped || this.#failure !== null) return
    this.#joining = true
    await jobLog.join(tasks)
    this.#joining = false
    if (this.#leaving !== null) return
    await tasks.begin()
    this.metrics.joined()
    if (this.#options.follow && !this.#stopped && this.#failure === null) await woken
    await tasks.allEnded()
    // Between two assignments nothing runs, and a task that changes its topics is between them.
    const isOver = (): boolean => this.#stopped || this.#failure !== null
    while (!isOver()) {
      await Promise.race([jobLog.settled(), woken])
      if (tasks.idle) break
      await tasks.allEnded()
    }
    await tasks.allEnded()
  }

  #admit(earlier: EarlierRuns, { groupId, stateful }: Plan): Promise<void> {
    return checkIdentity(earlier, { job: this.#job.name, groupId, stateful }, this.#environment)
  }

  #shared(plan: Plan, jobLog: JobLog): JobShared {
    const { clock, random, log, records } = this.#environment
    const { follow, limits, checkpoint, restart, turnEnds } = this.#options
    return {
      clock,
      random,
      log,
      records,
      openState: (task) => this.#environment.openState(task),
      follow,
      limits,
      checkpoint,
      restart,
      ...(turnEnds === undefined ? {} : { turnEnds }),
      job: this.#job,
      plan,
      group: sourceGroup,
      partitionCounts: jobLog.partitionCounts,
      startMode: (topic) => startModeOf(this.#job.name, plan.sources, topic),
      acceptTopics: new Set(this.#options.acceptTopics),
      allowDropped: this.#options.allowDropped ?? false,
      dropInputs: new Set(this.#options.dropInputs),
      dropped: (topic, why) => {
        if (this.#dropped.has(topic)) return
        this.#dropped.add(topic)
        log.warn('An input is dropped, and the tasks go on with the others', { topic, why })
      },
      control: () => jobLog.control(),
      outages: new Outages(),
      followers: this.#clients.followers,
      followerMaxBytes: this.#options.followerMaxBytes ?? Infinity,
      metrics: this.metrics,
      progressed: (epoch) => {
        this.#options.onProgress?.(this.metrics)
        if (epoch === 0) this.#warnOfBacklog()
      },
      open: (port) => this.#clients.get(port),
      fail: (error) => {
        this.fail(error)
      },
    }
  }

  #warnOfBacklog(): void {
    const { backlog } = this.metrics
    if (backlog <= this.#options.warnRecords || this.#warned) return
    this.#warned = true
    this.#environment.log.warn('This first start reads a large backlog; start from latest to skip it', {
      records: backlog,
    })
  }
}

function checkSkips(job: string, skips: readonly RecordPosition[], counts: ReadonlyMap<string, number>): void {
  for (const position of skips) {
    const count = counts.get(position.topic)
    if (count !== undefined && position.partition < count) continue
    throw new TidemarkError(
      'invalid-input',
      count === undefined
        ? `--skip names ${formatPosition(position)}, and job '${job}' does not read topic ${position.topic}. It reads ${[...counts.keys()].join(', ')}`
        : `--skip names ${formatPosition(position)}, and topic ${position.topic} has ${String(count)} partitions, from 0 on`,
    )
  }
}
