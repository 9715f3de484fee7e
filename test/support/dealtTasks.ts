import type { JobLog, TaskListener } from '../../src/core/ports/jobLog.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import type { JobEnvironment } from '../../src/runtime/job/jobEnvironment.ts'
import { override } from './faultyLog.ts'

/** One process of a job in memory that is given the tasks which a test deals to it, as by a consumer group. */
export class DealtTasks {
  readonly #first: readonly number[]
  readonly #existing: number
  #log: JobLog | null = null
  #listener: TaskListener | null = null

  /** `first`: what it is given when it joins. `existing`: so many partitions exist when it starts; more come later. */
  constructor(first: readonly number[], existing = Infinity) {
    this.#first = first
    this.#existing = existing
  }

  readonly environment = (world: JobEnvironment): JobEnvironment =>
    override(world, {
      openLog: async (spec) => {
        const log = await world.openLog(spec)
        this.#log = log
        return override<JobLog>(log, {
          tasks: () => log.tasks().slice(0, this.#existing),
          join: (listener) => {
            this.#listener = listener
            for (const partition of this.#first) this.deal(partition)
            return Promise.resolve()
          },
        })
      },
    })

  deal(partition: number): void {
    // In memory a view of a task is the whole of it.
    const task = this.#log?.tasks()[partition] as TaskLog
    this.#listener?.assigned(task)
  }

  async take(partition: number): Promise<void> {
    await this.#listener?.revoked(partition)
  }
}
