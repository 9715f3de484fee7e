import type { TaskListener } from '../../core/ports/jobLog.ts'
import type { TaskLog } from '../../core/ports/taskLog.ts'
import { TaskRoster } from '../../core/taskRoster.ts'
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

/** The tasks of a member, as the process itself sees them; and whether it lets go of what it says it has let go. */
export class MemoryRoster {
  readonly #member: MemoryMember
  readonly #roster: TaskRoster<GroupTaskLog>
  /** Of runs that have not ended, in the order in which they were made; true: the runtime knows of it. */
  readonly #logs = new Map<GroupTaskLog, boolean>()
  #settling = 0
  /** The reset that was decided last when the tasks were dealt out; undefined: they never were. */
  #reset: string | null | undefined

  /** @param kept told of a task that the member says it has let go and still holds. */
  constructor(member: MemoryMember, kept: (message: string) => void) {
    this.#member = member
    const { name, listener } = member
    const assigned = (log: GroupTaskLog): void => {
      this.#logs.set(log, true)
      listener.assigned(log)
    }
    const revoked = async (partition: number): Promise<void> => {
      await listener.revoked(partition)
      // The runs of a task end one after the other.
      const ended = [...this.#logs].find(([log]) => log.partition === partition)
      if (ended === undefined) return
      const [log, wasAssigned] = ended
      if (wasAssigned && !log.closed) kept(`${name} has let task ${String(partition)} go and goes on with it`)
      this.#logs.delete(log)
    }
    this.#roster = new TaskRoster({ assigned, revoked }, (partition, topics) => {
      const log = member.open(partition, topics)
      this.#logs.set(log, false)
      return log
    })
  }

  /** Whether all its tasks were handed over. */
  get settled(): boolean {
    return this.#settling === 0
  }

  /** Whether any of its tasks may still read a topic. */
  holds(topic: string): boolean {
    return [...this.#logs.keys()].some(({ inputs }) => inputs.topics.includes(topic))
  }

  /**
   * These are the tasks from now on, and their topics. Nobody waits for those that go. Where a reset was decided meanwhile,
   * those that stay begin anew as well.
   */
  settle(tasks: ReadonlyMap<number, readonly string[]>): void {
    const before = this.#reset
    this.#reset = this.#member.lastReset()
    this.#settling += 1
    void this.#roster.settle(tasks, { anew: before !== undefined && before !== this.#reset }).then(() => {
      this.#settling -= 1
    })
  }
}
