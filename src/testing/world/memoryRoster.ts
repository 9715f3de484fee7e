import type { TaskListener } from '../../core/ports/jobLog.ts'
import type { TaskLog } from '../../core/ports/taskLog.ts'
import { sameTopics } from '../../core/topicSelection.ts'
import type { TestProcess } from './testProcess.ts'

/** A task's log that says whether its owner has closed it. */
export interface GroupTaskLog extends TaskLog {
  readonly closed: boolean
}

/** One process in the group. */
export interface MemoryMember {
  readonly name: string
  readonly process: TestProcess
  readonly listener: TaskListener
  /** What the tasks were dealt out by: partition count by input topic. */
  dealt(inputs: ReadonlyMap<string, number>): void
  /** Id of the reset of the job that was decided last; null: none was. */
  lastReset(): string | null
  /** The log of a task, for the runtime to recover; `topics` are those that have its partition. */
  open(partition: number, topics: readonly string[]): GroupTaskLog
}

interface HeldTask {
  readonly log: GroupTaskLog
  /** The runtime knows of it. */
  handedOver: boolean
}

/**
 * The tasks of a member, as the process itself sees them, through all rebalances. One that it is given again with the same
 * topics goes on as it was, also when somebody else has had it meanwhile; one that comes back, has other topics, or is to
 * obey a reset, begins when its predecessor has ended.
 */
export class MemoryRoster {
  readonly #member: MemoryMember
  readonly #kept: (message: string) => void
  readonly #tasks = new Map<number, HeldTask>()
  /** The end of the last run of each task. */
  readonly #ending = new Map<number, Promise<void>>()
  /** Logs of runs that have not ended yet. */
  readonly #leaving = new Set<GroupTaskLog>()
  /** The reset that was decided last when the tasks were dealt out; undefined: they never were. */
  #reset: string | null | undefined

  /** @param kept told of a task that the member says it has let go and still holds. */
  constructor(member: MemoryMember, kept: (message: string) => void) {
    this.#member = member
    this.#kept = kept
  }

  /** Whether all its tasks were handed over. */
  get settled(): boolean {
    return [...this.#tasks.values()].every(({ handedOver }) => handedOver)
  }

  /** Whether any of its tasks may still read a topic. */
  holds(topic: string): boolean {
    const logs = [...[...this.#tasks.values()].map(({ log }) => log), ...this.#leaving]
    return logs.some(({ inputs }) => inputs.topics.includes(topic))
  }

  /**
   * These are the tasks from now on, and their topics. Nobody waits for those that go. Where a reset was decided meanwhile,
   * those that stay begin anew as well.
   */
  settle(tasks: ReadonlyMap<number, readonly string[]>): void {
    const before = this.#reset
    this.#reset = this.#member.lastReset()
    const anew = before !== undefined && before !== this.#reset
    for (const [partition, task] of this.#tasks) {
      const topics = tasks.get(partition)
      if (anew || topics === undefined || !sameTopics(topics, task.log.inputs.topics)) this.#end(partition, task)
    }
    for (const [partition, topics] of tasks) if (!this.#tasks.has(partition)) this.#begin(partition, topics)
  }

  #begin(partition: number, topics: readonly string[]): void {
    const task = { log: this.#member.open(partition, topics), handedOver: false }
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
    this.#leaving.add(log)
    const { name, listener } = this.#member
    const ended = (this.#ending.get(partition) ?? Promise.resolve())
      .then(() => listener.revoked(partition))
      .then(() => {
        if (handedOver && !log.closed) this.#kept(`${name} has let task ${String(partition)} go and goes on with it`)
        this.#leaving.delete(log)
        if (this.#ending.get(partition) === ended) this.#ending.delete(partition)
      })
    this.#ending.set(partition, ended)
  }
}
