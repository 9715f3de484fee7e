import { sleep, type Clock } from '../../core/ports/clock.ts'
import { tasksOf, topicsOfTask } from '../../core/topicSelection.ts'
import { MemoryRoster, type MemoryMember } from './memoryRoster.ts'
import type { TestProcess } from './testProcess.ts'

export interface MemoryGroupOptions {
  /** The world's clock. */
  readonly clock: Clock
  /** Partition count by input topic, as whoever deals the tasks out finds them; null: he cannot use them as they are. */
  inputs(): ReadonlyMap<string, number> | null
  /** Told what the coordinator does, for a timeline. */
  readonly trace?: (event: string) => void
  /** Told of a member that says it has let a task go and still holds it. */
  readonly kept?: (message: string) => void
}

/** A member that is dead or stands still for so long loses its tasks. */
const sessionTimeoutMs = 6_000
/** How long a rebalance waits for a member; half of it is the member's to end its epochs. */
const rebalanceTimeoutMs = 10_000
/** How often a process that waits for the end of a rebalance looks. */
const settledPollMs = 50

interface Membership {
  readonly member: MemoryMember
  readonly roster: MemoryRoster
  lastSeenMs: number
  /** It has heard what is dealt to it in the last rebalance. */
  dealt: boolean
  /** It is in the group no more, or it has heard what is dealt to it. */
  joined: () => void
  /** The rebalance need not wait for it any longer. */
  rejoined: () => void
}

/**
 * A consumer group as its coordinator sees it: it deals out the tasks among the members and takes them back. A member is
 * told to end its epochs before each rebalance; one that is not done within half the rebalance timeout goes on with what
 * it keeps. The next owner of a task does not wait for the one before. A member that is dead or stands still is put out:
 * it then believes to own tasks that others have, until it hears of it and joins again. What keeps all that harmless is
 * not the group but the fence.
 *
 * Tasks that stay with their member, and with their topics, are not interrupted.
 */
export class MemoryGroup {
  readonly #clock: Clock
  readonly #inputs: () => ReadonlyMap<string, number> | null
  readonly #trace: (event: string) => void
  readonly #kept: (message: string) => void
  readonly #members: Set<Membership> = new Set<Membership>()
  readonly #zombies: Set<Membership> = new Set<Membership>()
  #generation = 0
  /** What the tasks were dealt out by. */
  #dealt: ReadonlyMap<string, number> = new Map<string, number>()
  #wanted = false
  #rebalancing = false
  #closed = false

  constructor(options: MemoryGroupOptions) {
    this.#clock = options.clock
    this.#inputs = () => options.inputs()
    this.#trace = options.trace ?? (() => undefined)
    this.#kept = options.kept ?? (() => undefined)
    this.#heartbeat()
  }

  /** Resolves when the member has been dealt its tasks, which may be none, or has left. */
  join(member: MemoryMember): Promise<void> {
    return new Promise((joined) => {
      this.#enter(member, new MemoryRoster(member, this.#kept), joined)
    })
  }

  leave(process: TestProcess): void {
    for (const membership of [...this.#members, ...this.#zombies]) {
      if (membership.member.process !== process) continue
      this.#members.delete(membership)
      this.#zombies.delete(membership)
      membership.joined()
      membership.rejoined()
      this.rebalance()
    }
  }

  /** Resolves when no rebalance is under way and the process has all its tasks, or is in the group no more. */
  async settled(process: TestProcess): Promise<void> {
    for (;;) {
      const own = [...this.#members, ...this.#zombies].find(({ member }) => member.process === process)
      if (own === undefined || (!this.#wanted && !this.#rebalancing && own.dealt && own.roster.settled)) return
      await sleep(process.clock, settledPollMs)
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

  /** Deals the tasks out anew where that was done by other inputs than these. */
  follow(inputs: ReadonlyMap<string, number>): void {
    const isSame =
      inputs.size === this.#dealt.size && [...inputs].every(([name, count]) => this.#dealt.get(name) === count)
    // What is dealt out just now is looked at when it is known.
    if (!isSame && this.#generation > 0 && !this.#rebalancing) this.rebalance()
  }

  /** Whether any process that lives may still read a topic. */
  holds(topic: string): boolean {
    return [...this.#members, ...this.#zombies].some(
      ({ member, roster }) => member.process.alive && roster.holds(topic),
    )
  }

  /** Ends the coordinator's own timers. */
  close(): void {
    this.#closed = true
  }

  #enter(member: MemoryMember, roster: MemoryRoster, joined: () => void): void {
    this.#members.add({
      member,
      roster,
      lastSeenMs: this.#clock.monotonicMs(),
      dealt: false,
      joined,
      rejoined: () => undefined,
    })
    this.rebalance()
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false
      await Promise.all([...this.#members].map((membership) => this.#rested(membership)))
      this.#generation += 1
      this.#dealt = this.#inputs() ?? this.#dealt
      this.#assign(this.#deal())
    }
    this.#rebalancing = false
  }

  /** Resolves when the member has ended its epochs or given up waiting for them, or is in the group no more. */
  #rested(membership: Membership): Promise<void> {
    membership.dealt = false
    const { process, listener } = membership.member
    return new Promise((resolve) => {
      const timer = this.#clock.after(rebalanceTimeoutMs, () => {
        this.#evict(membership, 'it did not answer the rebalance')
      })
      membership.rejoined = () => {
        timer.cancel()
        resolve()
      }
      process.enter(() => {
        const late = process.clock.after(rebalanceTimeoutMs / 2, membership.rejoined)
        void listener.rebalancing().then(() => {
          late.cancel()
          process.enter(membership.rejoined)
        })
      })
    })
  }

  #deal(): Map<number, Membership> {
    const members = [...this.#members].sort((a, b) => (a.member.name < b.member.name ? -1 : 1))
    const owners = new Map<number, Membership>()
    for (let task = 0; task < tasksOf(this.#dealt); task += 1) {
      const owner = members[(task + this.#generation) % members.length]
      if (owner !== undefined) owners.set(task, owner)
    }
    return owners
  }

  #assign(owners: ReadonlyMap<number, Membership>): void {
    const dealt = [...owners].map(([task, { member }]) => `${String(task)} to ${member.name}`).join(', ')
    this.#trace(`group: generation ${String(this.#generation)}, task ${dealt === '' ? 'none' : dealt}`)
    const inputs = this.#dealt
    for (const membership of this.#members) {
      const tasks = new Map(
        [...owners].filter(([, owner]) => owner === membership).map(([task]) => [task, topicsOfTask(inputs, task)]),
      )
      membership.member.process.enter(() => {
        // Until the process hears of it, it may have left.
        if (!this.#members.has(membership) && !this.#zombies.has(membership)) return
        membership.member.dealt(inputs)
        membership.roster.settle(tasks)
        membership.dealt = true
        membership.joined()
      })
    }
  }

  #evict(membership: Membership, why: string): void {
    if (!this.#members.delete(membership)) return
    this.#trace(`group: ${membership.member.name} is put out, ${why}`)
    this.#zombies.add(membership)
    membership.rejoined()
    this.rebalance()
  }

  #heartbeat(): void {
    this.#clock.after(sessionTimeoutMs / 6, () => {
      if (this.#closed) return
      const now = this.#clock.monotonicMs()
      for (const membership of this.#members) {
        const { process } = membership.member
        if (process.alive && !process.frozen) membership.lastSeenMs = now
        else if (now - membership.lastSeenMs >= sessionTimeoutMs) this.#evict(membership, 'its session has ended')
      }
      for (const zombie of this.#zombies) {
        const { member, roster, joined } = zombie
        if (member.process.alive && member.process.frozen) continue
        this.#zombies.delete(zombie)
        // It hears that it is out, and joins again with what it has.
        if (member.process.alive) this.#enter(member, roster, joined)
      }
      this.#heartbeat()
    })
  }
}
