import type { TaskInputs } from './ports/inputs.ts'
import type { TaskLog } from './ports/taskLog.ts'
import { sameTopics } from './topicSelection.ts'

/** A task's log. `hold`: nothing more is handed out until `release`; without it a task goes on while tasks are dealt out. */
export interface RosterLog extends TaskLog {
  readonly inputs: TaskInputs & { hold?(): void; release?(): void }
}

/** Whoever runs the tasks. */
interface RosterListener<Log> {
  assigned(log: Log): void
  /** Resolves when the task's epoch is committed or given up. */
  revoked(partition: number): Promise<void>
}

/**
 * The tasks of this process, through all rebalances. A task that is given again with the same topics stays as it is:
 * producer, queue, state and an epoch that was not done in time. One that is gone ends; one that comes back begins when its
 * predecessor has ended.
 */
export class TaskRoster<Log extends RosterLog> {
  readonly #listener: RosterListener<Log>
  readonly #create: (partition: number, topics: readonly string[]) => Log
  readonly #current = new Map<number, Log>()
  /** The end of the last run of each task. */
  readonly #ending = new Map<number, Promise<void>>()

  /** `create` makes the log of a task; `topics` are those that have its partition. */
  constructor(listener: RosterListener<Log>, create: (partition: number, topics: readonly string[]) => Log) {
    this.#listener = listener
    this.#create = create
  }

  get tasks(): readonly number[] {
    return [...this.#current.keys()]
  }

  /** No task begins another epoch until `settle`. */
  hold(): void {
    for (const log of this.#current.values()) log.inputs.hold?.()
  }

  /**
   * These are the tasks from now on. Resolves when those that are new have been handed over. `anew`: those that stay begin
   * anew as well, because a reset was decided.
   */
  async settle(
    assignment: ReadonlyMap<number, readonly string[]>,
    { anew = false }: { readonly anew?: boolean } = {},
  ): Promise<void> {
    for (const [partition, log] of this.#current) {
      const topics = assignment.get(partition)
      if (!anew && topics !== undefined && sameTopics(topics, log.inputs.topics)) log.inputs.release?.()
      else this.#end(partition)
    }
    const added = [...assignment].filter(([partition]) => !this.#current.has(partition))
    await Promise.all(
      added.map(async ([partition, topics]) => {
        const log = this.#create(partition, topics)
        this.#current.set(partition, log)
        await this.#ending.get(partition)
        // Gone again while its predecessor ended.
        if (this.#current.get(partition) === log) this.#listener.assigned(log)
      }),
    )
  }

  /** Ends all logs, also of tasks that the runtime has never started. */
  async close(): Promise<void> {
    const logs = [...this.#current.values()]
    this.#current.clear()
    await Promise.all(logs.map((log) => log.close()))
  }

  #end(partition: number): void {
    this.#current.delete(partition)
    const ended = (this.#ending.get(partition) ?? Promise.resolve())
      .then(() => this.#listener.revoked(partition))
      .finally(() => {
        if (this.#ending.get(partition) === ended) this.#ending.delete(partition)
      })
    this.#ending.set(partition, ended)
  }
}
