import type { TaskListener } from '../core/jobLog.ts'
import type { TaskLog } from '../core/taskLog.ts'
import type { TestProcess } from './testProcess.ts'

/** A task's log that says whether its owner has closed it. */
export interface GroupTaskLog extends TaskLog {
  readonly closed: boolean
}

/** One process in the group. */
export interface GroupMember {
  readonly name: string
  readonly process: TestProcess
  readonly listener: TaskListener
  /** The log of a task, for the runtime to recover. */
  open(partition: number): GroupTaskLog
}

interface HeldTask {
  readonly log: GroupTaskLog
  /** The runtime knows of it. */
  handedOver: boolean
}

/**
 * The tasks of a member, as the process itself sees them, through all rebalances. One that it is given again goes on as it
 * was, also when somebody else has had it meanwhile; one that comes back begins when its predecessor has ended.
 */
export class MemoryRoster {
  readonly #member: GroupMember
  readonly #kept: (message: string) => void
  readonly #tasks = new Map<number, HeldTask>()
  /** The end of the last run of each task. */
  readonly #ending = new Map<number, Promise<void>>()

  /** @param kept told of a task that the member says it has let go and still holds. */
  constructor(member: GroupMember, kept: (message: string) => void) {
    this.#member = member
    this.#kept = kept
  }

  /** Whether all its tasks were handed over. */
  get settled(): boolean {
    return [...this.#tasks.values()].every(({ handedOver }) => handedOver)
  }

  /** These are the tasks from now on. Nobody waits for those that go. */
  settle(tasks: readonly number[]): void {
    for (const [partition, task] of this.#tasks) if (!tasks.includes(partition)) this.#end(partition, task)
    for (const partition of tasks) if (!this.#tasks.has(partition)) this.#begin(partition)
  }

  #begin(partition: number): void {
    const task = { log: this.#member.open(partition), handedOver: false }
    this.#tasks.set(partition, task)
    const handOver = (): void => {
      // Gone again while its predecessor ended.
      if (this.#tasks.get(partition) !== task) return
      task.handedOver = true
      this.#member.listener.assigned(task.log)
    }
    const ending = this.#ending.get(partition)
    if (ending === undefined) handOver()
    else void ending.then(handOver)
  }

  #end(partition: number, { log, handedOver }: HeldTask): void {
    this.#tasks.delete(partition)
    const { name, listener } = this.#member
    const ended = (this.#ending.get(partition) ?? Promise.resolve())
      .then(() => listener.revoked(partition))
      .then(() => {
        if (handedOver && !log.closed) this.#kept(`${name} has let task ${String(partition)} go and goes on with it`)
        if (this.#ending.get(partition) === ended) this.#ending.delete(partition)
      })
    this.#ending.set(partition, ended)
  }
}
