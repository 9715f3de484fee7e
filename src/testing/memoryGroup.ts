import type { Clock } from '../core/clock.ts'
import type { TaskListener } from '../core/jobLog.ts'
import type { TaskLog } from '../core/taskLog.ts'
import type { TestProcess } from './testProcess.ts'

export interface MemoryGroupOptions {
  /** The world's clock. */
  readonly clock: Clock
  readonly partitions: number
  /** A member that is dead or stands still for so long loses its tasks; default 6,000. */
  readonly sessionTimeoutMs?: number
  /** How long a rebalance waits for members to end their epochs and let tasks go; default 10,000. */
  readonly rebalanceTimeoutMs?: number
  /** Told what the coordinator does, for a timeline. */
  readonly trace?: (event: string) => void
  /** Told of a member that says it has let a task go and still holds it. */
  readonly kept?: (message: string) => void
}

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

interface Membership {
  readonly member: GroupMember
  readonly tasks: Map<number, GroupTaskLog | null>
  lastSeenMs: number
  /** Put out of the group; it learns of it when it next talks to the coordinator. */
  evicted: boolean
  joined: () => void
}

/**
 * A consumer group as its coordinator sees it: it deals out the tasks among the members and takes them back. A member is
 * told to end its epochs before each rebalance, and to let go what goes elsewhere. One that does not answer in time is
 * put out: it then believes to own tasks that others have, until it hears of it. What keeps that harmless is not the
 * group but the fence.
 *
 * Tasks that stay with their member are not interrupted.
 */
export class MemoryGroup {
  readonly #clock: Clock
  readonly #partitions: number
  readonly #sessionTimeoutMs: number
  readonly #rebalanceTimeoutMs: number
  readonly #trace: (event: string) => void
  readonly #kept: (message: string) => void
  readonly #members: Set<Membership> = new Set<Membership>()
  readonly #zombies: Set<Membership> = new Set<Membership>()
  #generation = 0
  #wanted = false
  #rebalancing = false
  #closed = false

  constructor(options: MemoryGroupOptions) {
    this.#clock = options.clock
    this.#partitions = options.partitions
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? 6_000
    this.#rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? 10_000
    this.#trace = options.trace ?? (() => undefined)
    this.#kept = options.kept ?? (() => undefined)
    this.#heartbeat()
  }

  /** Resolves when the member has been dealt its tasks, which may be none. */
  join(member: GroupMember): Promise<void> {
    return new Promise((joined) => {
      this.#members.add({ member, tasks: new Map(), lastSeenMs: this.#clock.now(), evicted: false, joined })
      this.rebalance()
    })
  }

  leave(process: TestProcess): void {
    for (const membership of [...this.#members, ...this.#zombies]) {
      if (membership.member.process !== process) continue
      this.#members.delete(membership)
      this.#zombies.delete(membership)
      this.rebalance()
    }
  }

  /** Deals the tasks out anew; each time to other members, where there are several. */
  rebalance(): void {
    this.#wanted = true
    if (this.#rebalancing) return
    this.#rebalancing = true
    this.#clock.after(1, () => {
      void this.#run()
    })
  }

  /** Ends the coordinator's own timers. */
  close(): void {
    this.#closed = true
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false
      await this.#all(({ member }) => member.listener.rebalancing())
      this.#generation += 1
      const owners = this.#deal()
      await this.#all((membership) =>
        this.#take(
          membership,
          [...membership.tasks.keys()].filter((task) => owners.get(task) !== membership),
        ),
      )
      this.#assign(owners)
    }
    this.#rebalancing = false
  }

  #deal(): Map<number, Membership> {
    const members = [...this.#members].sort((a, b) => (a.member.name < b.member.name ? -1 : 1))
    const owners = new Map<number, Membership>()
    for (let task = 0; task < this.#partitions; task += 1) {
      const owner = members[(task + this.#generation) % members.length]
      if (owner !== undefined) owners.set(task, owner)
    }
    return owners
  }

  #assign(owners: ReadonlyMap<number, Membership>): void {
    const dealt = [...owners].map(([task, { member }]) => `${String(task)} to ${member.name}`).join(', ')
    this.#trace(`group: generation ${String(this.#generation)}, task ${dealt === '' ? 'none' : dealt}`)
    for (const membership of this.#members) {
      for (const [task, owner] of owners) {
        if (owner !== membership || membership.tasks.has(task)) continue
        // Until the process hears of it.
        membership.tasks.set(task, null)
        const { member, tasks } = membership
        member.process.enter(() => {
          const log = member.open(task)
          tasks.set(task, log)
          member.listener.assigned(log)
        })
      }
      membership.member.process.enter(membership.joined)
    }
  }

  /** Takes tasks away; a member that says it has let one go has closed its log. */
  #take({ member, tasks }: Membership, taken: readonly number[]): Promise<unknown> {
    return Promise.all(
      taken.map(async (task) => {
        const log = tasks.get(task) ?? null
        await member.listener.revoked(task)
        tasks.delete(task)
        if (log?.closed === false) this.#kept(`${member.name} has let task ${String(task)} go and goes on with it`)
      }),
    )
  }

  /** Asks every member, and puts out those that have not answered in time. */
  async #all(ask: (membership: Membership) => Promise<unknown>): Promise<void> {
    await Promise.all(
      [...this.#members].map(async (membership) => {
        if (!(await this.#inTime(membership, ask))) this.#evict(membership, 'it did not answer the rebalance')
      }),
    )
  }

  #inTime(membership: Membership, ask: (membership: Membership) => Promise<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(this.#rebalanceTimeoutMs, () => {
        resolve(false)
      })
      membership.member.process.enter(() => {
        void ask(membership).then(() => {
          timer.cancel()
          resolve(true)
        })
      })
    })
  }

  #evict(membership: Membership, why: string): void {
    if (!this.#members.delete(membership)) return
    this.#trace(`group: ${membership.member.name} is put out, ${why}`)
    membership.evicted = true
    this.#zombies.add(membership)
    this.rebalance()
  }

  #heartbeat(): void {
    this.#clock.after(this.#sessionTimeoutMs / 6, () => {
      if (this.#closed) return
      const now = this.#clock.now()
      for (const membership of this.#members) {
        const { process } = membership.member
        if (process.alive && !process.frozen) membership.lastSeenMs = now
        else if (now - membership.lastSeenMs >= this.#sessionTimeoutMs) this.#evict(membership, 'its session has ended')
      }
      for (const zombie of this.#zombies) {
        const { process } = zombie.member
        if (!process.alive) this.#zombies.delete(zombie)
        else if (!process.frozen) this.#return(zombie)
      }
      this.#heartbeat()
    })
  }

  /** The zombie hears that it is out: it lets everything go and joins again. */
  #return(zombie: Membership): void {
    this.#zombies.delete(zombie)
    const { member, tasks } = zombie
    member.process.enter(() => {
      void this.#take(zombie, [...tasks.keys()]).then(() => {
        if (!member.process.alive) return
        this.#members.add({ ...zombie, lastSeenMs: this.#clock.now(), evicted: false })
        this.rebalance()
      })
    })
  }
}
