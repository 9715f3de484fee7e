import { TidemarkError, asTidemarkError, type ErrorCode } from '../../core/errors.ts'
import type { TaskListener } from '../../core/ports/jobLog.ts'
import type { Position, Positions } from '../../core/ports/position.ts'
import type { TaskLog } from '../../core/ports/taskLog.ts'
import { closeQuietly } from '../../core/ports/logger.ts'
import type { JobShared } from './jobShared.ts'
import { checkStart } from '../task/recovery.ts'
import { TaskRun } from '../task/taskRun.ts'

/** Guards that speak of a task's own input and store, which are its next owner's. The others speak of the pipeline. */
const guardsOfTheTask: ReadonlySet<ErrorCode> = new Set([
  'data-removed',
  'topic-recreated',
  'damaged-batch',
  'unreadable-input',
  'corrupt-store',
  'disk-failed',
])

interface RunningTask {
  readonly run: TaskRun
  readonly ended: Promise<void>
}

/**
 * The tasks that this process has been given, from their assignment to their end. The tasks of the first assignment wait
 * for each other: none commits its start when another one's is wrong.
 */
export class JobTasks implements TaskListener {
  readonly #shared: JobShared
  readonly #running = new Map<number, RunningTask>()
  readonly #turns = new Map<number, Promise<void>>()
  /** Partitions that are being taken away. */
  readonly #leaving = new Set<number>()
  /** By partition and topic. */
  readonly #ends = new Map<number, Map<string, Position>>()
  readonly #first = new Map<number, TaskLog>()
  readonly #starting = new Set<Promise<void>>()
  #begun = false
  #stopped = false

  constructor(shared: JobShared) {
    this.#shared = shared
  }

  // What the group says

  assigned(task: TaskLog): void {
    if (this.#begun) this.#start(task)
    else this.#first.set(task.partition, task)
  }

  async rebalancing(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ run }) => run.checkpointNow()))
  }

  async revoked(partition: number): Promise<void> {
    this.#leaving.add(partition)
    const unstarted = this.#first.get(partition)
    this.#first.delete(partition)
    await closeQuietly(`partition ${String(partition)}`, unstarted ?? null, this.#shared.log)
    await this.#inTurn(partition, async () => {
      const task = this.#running.get(partition)
      task?.run.stop()
      await task?.ended
      this.#running.delete(partition)
      this.#leaving.delete(partition)
      this.#shared.metrics.revoked(partition)
    })
  }

  failed(error: Error): void {
    this.#shared.fail(asTidemarkError(error, 'system-unreachable', 'The consumer group failed'))
  }

  // What the job says

  /** Checks the starts of the first assignment, then starts its tasks; later ones start as they are assigned. */
  async begin(): Promise<void> {
    this.#begun = true
    await Promise.all(
      [...this.#first].map(async ([partition, log]) => {
        try {
          await checkStart({ ...this.#shared, log })
        } catch (error) {
          // What cannot be told now, as when the owner before has died within its first commit, is told after the fence.
          if (error instanceof TidemarkError && error.kind === 'unreachable') return
          // Taken away meanwhile, it is another process's to start.
          if (this.#first.has(partition)) throw error
        }
      }),
    )
    for (const task of this.#first.values()) this.#start(task)
    this.#first.clear()
    await Promise.all(this.#starting)
  }

  /** Every task finishes its epoch, commits, and ends. */
  stop(): void {
    this.#stopped = true
    for (const { run } of this.#running.values()) run.stop()
  }

  /** Every task ends with this error, committing nothing more. */
  halt(error: TidemarkError): void {
    this.#stopped = true
    for (const { run } of this.#running.values()) run.halt(error)
  }

  /** Whether nothing runs or is being started. */
  get idle(): boolean {
    return this.#running.size === 0 && this.#starting.size === 0
  }

  /** Resolves when no task runs any more; never rejects. */
  async allEnded(): Promise<void> {
    while (!this.idle) {
      await Promise.all(this.#starting)
      const tasks = [...this.#running]
      await Promise.all(tasks.map(([, task]) => task.ended))
      for (const [partition, task] of tasks) if (this.#running.get(partition) === task) this.#running.delete(partition)
    }
  }

  /** After a start that failed: ends what has begun, and closes what has not. */
  async close(): Promise<void> {
    this.stop()
    await this.allEnded()
    const { log } = this.#shared
    for (const task of this.#first.values()) await closeQuietly(`partition ${String(task.partition)}`, task, log)
    this.#first.clear()
  }

  #start(task: TaskLog): void {
    const { partition } = task
    const started = this.#inTurn(partition, () => this.#run(task))
      .catch((error: unknown) => {
        this.#failed(
          partition,
          asTidemarkError(error, 'broken-invariant', `Partition ${String(partition)} could not be started`),
        )
      })
      .finally(() => this.#starting.delete(started))
    this.#starting.add(started)
  }

  async #run(task: TaskLog): Promise<void> {
    const { partition } = task
    const { plan, job, group, follow, metrics } = this.#shared
    const ends = follow ? null : await this.#endsOf(task)
    const state = plan.stateful ? await this.#shared.openState({ job: job.name, group, partition }) : null
    const run = new TaskRun(this.#shared, task, state, ends)
    const ended = run
      .run()
      .catch((error: unknown) => {
        this.#failed(partition, asTidemarkError(error, 'broken-invariant', `Partition ${String(partition)} failed`))
      })
      .finally(() => {
        metrics.taskEnded(run)
      })
    this.#running.set(partition, { run, ended })
    metrics.started(run)
    // The job may have been stopped, or another task have failed, while this one was being started.
    if (this.#stopped) run.stop()
  }

  /**
   * What stops a task stops the job, unless the task is being taken away: its next owner goes on from its last commit, and
   * meets whatever is wrong with its input or the systems behind it. A pipeline that would lose records is every task's.
   */
  #failed(partition: number, error: TidemarkError): void {
    if (!this.#leaving.has(partition) || (error.kind === 'guard' && !guardsOfTheTask.has(error.code))) {
      this.#shared.fail(error)
      return
    }
    this.#shared.log.warn('A task that is taken away ended with an error; its next owner goes on', {
      partition,
      code: error.code,
      reason: error.message,
    })
  }

  /** A partition is given and taken away one after the other: taken away while it starts, it first starts and then ends. */
  #inTurn(partition: number, act: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(partition) ?? Promise.resolve()).then(act)
    this.#turns.set(
      partition,
      turn.catch(() => undefined),
    )
    return turn
  }

  /**
   * Read once for each input: a partition that comes back after a rebalance ends where it was to end, and a topic that has
   * begun to match meanwhile, or has grown, ends where it ended when it was met.
   */
  async #endsOf(task: TaskLog): Promise<Positions> {
    const ends = this.#ends.get(task.partition) ?? new Map<string, Position>()
    this.#ends.set(task.partition, ends)
    const { inputs } = task
    for (const topic of inputs.topics) if (!ends.has(topic)) ends.set(topic, (await inputs.range(topic)).end)
    return new Map([...ends].filter(([topic]) => inputs.topics.includes(topic)))
  }
}
