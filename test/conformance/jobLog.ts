import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ControlRecord } from '../../src/core/controlRecord.ts'
import type { EarlierRuns, JobLog, JobLogSpec, TaskListener } from '../../src/core/ports/jobLog.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import { at } from '../support/positions.ts'
import { commit, commitMetadata, entry, output, readable, valueOf } from './taskLogSteps.ts'

/** A log in which the topics `orders` and `payments` exist, with four partitions each, as the inputs of one source group. */
export interface JobLogWorld {
  /** Opens the log as another process; `topics` are the inputs. */
  open(process: string, topics: readonly string[], admit?: JobLogSpec['admit']): Promise<JobLog>
  /** Ends a process without its leaving. */
  kill(process: string): Promise<void>
  /** A process stands still for so long: the group hears nothing from it. */
  freeze(process: string, ms: number): void
  /** Lets so much of the world's time pass. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

/** What a log has; each behaviour that is not there is not tested. */
export interface JobLogSupport {
  /** Several processes share the tasks of a group. */
  readonly processes: boolean
  /** Records of an open transaction hold readers back; false: they do not exist before their commit. */
  readonly lastStableOffset: boolean
}

/** How long anything in a group may take, in ms of the world's time. */
const longestMs = 60_000
const stepMs = 250
/** No session lasts so long. */
const beyondSessionMs = 8_000

/** What every job log must do; each implementation runs it. */
export function jobLogConformance(name: string, makeWorld: () => Promise<JobLogWorld>, supports: JobLogSupport): void {
  describe(`job log: ${name}`, () => {
    let world: JobLogWorld

    beforeEach(async () => {
      world = await makeWorld()
    })
    afterEach(async () => {
      await world.close()
    })

    const join = async (process: string, habits: Habits = {}): Promise<Member> => {
      const member = new Member(await world.open(process, ['orders', 'payments']), habits)
      void member.log.join(member.listener)
      return member
    }
    const eventually = async (holds: () => boolean): Promise<void> => {
      for (let waited = 0; !holds() && waited < longestMs; waited += stepMs) await world.pass(stepMs)
      expect(holds()).toBe(true)
    }
    const all = [0, 1, 2, 3]

    test('knows the partitions of its inputs', async () => {
      const log = await world.open('one', ['orders', 'payments'])
      expect(log.partitionCounts).toEqual(
        new Map([
          ['orders', 4],
          ['payments', 4],
        ]),
      )
    })

    describe('control', () => {
      const record = (generation: number): ControlRecord => ({
        version: 1,
        lineage: `lineage-${String(generation)}`,
        generation,
        request: {
          id: `reset-${String(generation)}`,
          mode: 'latest',
          positions: new Map([
            ['orders', [0, 1, 2, 3]],
            ['payments', []],
          ]),
          topicIds: new Map([['orders', 'an id']]),
          atMs: 1_700_000_000_000,
          groupId: 'group',
        },
      })
      const replace = (log: JobLog, generation: number): Promise<ControlRecord> =>
        log.replaceControl(() => Promise.resolve(record(generation)))

      test('there is no record before the first reset', async () => {
        const log = await world.open('one', ['orders', 'payments'])
        expect(await log.control()).toBeNull()
      })

      test('what is written is read by every process that opens the log afterwards', async () => {
        const one = await world.open('one', ['orders', 'payments'])
        expect(await replace(one, 3)).toEqual(record(3))
        expect(await one.control()).toEqual(record(3))
        await one.leave()
        const two = await world.open('two', ['orders', 'payments'])
        expect(await two.control()).toEqual(record(3))
      })

      test('a later record replaces it, made from the one before', async () => {
        const one = await world.open('one', ['orders', 'payments'])
        await replace(one, 1)
        const seen: (ControlRecord | null)[] = []
        await one.replaceControl((current) => {
          seen.push(current)
          return Promise.resolve(record(2))
        })
        expect(seen).toEqual([record(1)])
        expect(await one.control()).toEqual(record(2))
      })

      test('nothing is written where it cannot be decided', async () => {
        const one = await world.open('one', ['orders', 'payments'])
        const refused = one.replaceControl(() => Promise.reject(new TidemarkError('invalid-setting', 'out of range')))
        await expect(refused).rejects.toMatchObject({ code: 'invalid-setting' })
        expect(await one.control()).toBeNull()
      })

      test('of two that replace it at once, one is refused', async () => {
        const one = await world.open('one', ['orders', 'payments'])
        const both = one.replaceControl(async () => {
          await replace(one, 1)
          return record(2)
        })
        await expect(both).rejects.toMatchObject({ code: 'commit-failed' })
        expect(await one.control()).toEqual(record(1))
      })

      test.runIf(supports.processes)(
        'a reset that is decided while tasks run begins them anew when they are dealt',
        async () => {
          const one = await join('one')
          await eventually(() => one.owned.length === 4)
          const log = await world.open('two', ['orders', 'payments'])
          await replace(log, 1)
          const two = new Member(log)
          void two.log.join(two.listener)
          await eventually(() => two.owned.length === 2 && one.count('assigned') === 6)
          expect(one.count('revoked')).toBe(4)
        },
      )

      test('every task can be looked at before anybody owns one', async () => {
        const log = await world.open('one', ['orders', 'payments'])
        const tasks = log.tasks()
        expect(tasks.map(({ partition }) => partition)).toEqual(all)
        for (const task of tasks) {
          expect([...task.inputs.topics].toSorted()).toEqual(['orders', 'payments'])
          expect(await task.inputs.range('orders')).toEqual({ start: 0, end: 0 })
          expect((await task.commitLog.committed()).size).toBe(0)
          expect(await task.changelog.range()).toEqual({ start: 0, end: 0 })
        }
      })
    })

    describe('admission', () => {
      const both = ['orders', 'payments']
      const lastKeys = async ({ tasks }: EarlierRuns): Promise<readonly string[]> => {
        const keys: string[] = []
        for (const task of tasks()) {
          const { end } = await task.changelog.range()
          for await (const batch of task.changelog.read(Math.max(0, end - 4), end)) {
            keys.push(...batch.map(({ key }) => `${String(task.partition)}:${key.toString()}`))
          }
        }
        return keys
      }

      test('is asked before there is a changelog, of tasks that have committed nothing', async () => {
        const seen: number[] = []
        const log = await world.open('one', both, async (earlier) => {
          seen.push(await earlier.changelogs(), earlier.tasks().length)
          for (const task of earlier.tasks()) expect((await task.commitLog.committed()).size).toBe(0)
        })
        expect(seen).toEqual([0, 4])
        await log.leave()
      })

      test('sees what was committed last, and keeps the log closed when it is refused', async () => {
        const one = await join('one')
        await eventually(() => one.owned.length === 4)
        const task = one.kept(1)
        await task.commitLog.fence()
        await commit(task, { epoch: 0, position: 3, changelog: [entry('first', 'x'), entry('last', 'x')] })
        await one.leave()
        let seen: readonly string[] = []
        const refused = world.open('two', both, async (earlier) => {
          expect([...earlier.partitionCounts.keys()].toSorted()).toEqual(both)
          expect(await earlier.changelogs()).toBe(4)
          expect(await earlier.control()).toBeNull()
          seen = await lastKeys(earlier)
          throw new TidemarkError('job-name-in-use', 'taken')
        })
        await expect(refused).rejects.toMatchObject({ code: 'job-name-in-use' })
        expect(seen).toEqual(['1:first', '1:last'])
        const three = await join('three')
        await eventually(() => three.owned.length === 4)
        await three.kept(1).commitLog.fence()
        expect((await three.kept(1).commitLog.committed()).get('orders')?.position).toBe(3)
      })
    })

    test('refuses an input that does not exist', async () => {
      await expect(world.open('one', ['nowhere'])).rejects.toMatchObject({ code: 'unknown-topic' })
    })

    test('gives a lone process every task once, each with its topics', async () => {
      const one = await join('one')
      await eventually(() => one.owned.length === 4)
      await world.pass(stepMs)
      expect(one.count('assigned')).toBe(4)
      expect(one.owned).toEqual(all)
      for (const task of one.tasks.values()) expect([...task.inputs.topics].toSorted()).toEqual(['orders', 'payments'])
    })

    test('a process that comes after one has left is given every task', async () => {
      const one = await join('one')
      await eventually(() => one.owned.length === 4)
      await one.leave()
      const two = await join('two')
      await eventually(() => two.owned.length === 4)
      expect(two.owned).toEqual(all)
    })

    test.runIf(supports.processes)('two processes share the tasks, each with one owner', async () => {
      const [one, two] = [await join('one'), await join('two')]
      await eventually(() => one.owned.length === 2 && two.owned.length === 2)
      expect([...one.owned, ...two.owned].toSorted((a, b) => a - b)).toEqual(all)
    })

    test('a process may leave while it joins, and is then given nothing', async () => {
      const one = new Member(await world.open('one', ['orders', 'payments']))
      let joined = false
      void one.log.join(one.listener).then(() => (joined = true))
      await one.leave()
      const two = await join('two')
      await eventually(() => two.owned.length === 4)
      expect({ joined, owned: one.owned }).toEqual({ joined: true, owned: [] })
    })

    test.runIf(supports.processes)('all epochs are cut before a task goes to another process', async () => {
      const story: string[] = []
      const one = await join('one', {
        rebalancing: async () => {
          await new Promise((resolve) => setImmediate(resolve))
          story.push('cut')
        },
      })
      await eventually(() => one.owned.length === 4)
      story.length = 0
      const two = await join('two', {
        assigned: () => {
          story.push('assigned')
        },
      })
      await eventually(() => one.owned.length === 2 && two.owned.length === 2)
      expect(story).toEqual(['cut', 'assigned', 'assigned'])
      expect([...one.owned, ...two.owned].toSorted((a, b) => a - b)).toEqual(all)
    })

    test.runIf(supports.processes)('is settled again when what a rebalance gives has been handed over', async () => {
      let ownedWhenSettled: number | null = null
      let isWatched = false
      const one: Member = await join('one', {
        rebalancing: () => {
          if (isWatched) void one.log.settled().then(() => (ownedWhenSettled = one.owned.length))
          return Promise.resolve()
        },
      })
      await eventually(() => one.owned.length === 4)
      isWatched = true
      const two = await join('two')
      await eventually(() => ownedWhenSettled !== null)
      expect(ownedWhenSettled).toBe(2)
      await eventually(() => two.owned.length === 2)
    })

    test.runIf(supports.processes)('what a process keeps over a rebalance goes on as it was', async () => {
      const one = await join('one')
      await eventually(() => one.owned.length === 4)
      const before = new Map(one.tasks)
      const two = await join('two')
      await eventually(() => one.owned.length === 2 && two.owned.length === 2)
      for (const [partition, task] of one.tasks) expect(task).toBe(before.get(partition))
      expect(one.count('revoked')).toBe(2)
    })

    test.runIf(supports.processes)(
      'a process that does not end its epochs in time stays, and what it keeps goes on as it was',
      async () => {
        const one = await join('one', { rebalancing: never })
        await eventually(() => one.owned.length === 4)
        const two = await join('two')
        await eventually(() => one.owned.length === 2 && two.owned.length === 2)
        expect({ assigned: one.count('assigned'), revoked: one.count('revoked') }).toEqual({ assigned: 4, revoked: 2 })
      },
    )

    test.runIf(supports.processes)('a task that its owner does not let go is given to another one', async () => {
      const one = await join('one', { revoked: never })
      await eventually(() => one.owned.length === 4)
      const two = await join('two')
      await eventually(() => one.owned.length === 2 && two.owned.length === 2)
      expect({ assigned: one.count('assigned'), revoked: one.count('revoked') }).toEqual({ assigned: 4, revoked: 2 })
    })

    test.runIf(supports.processes)(
      'a process that comes back after its session has ended goes on with what it is given again',
      async () => {
        const one = await join('one')
        await eventually(() => one.owned.length === 4)
        world.freeze('one', beyondSessionMs)
        await world.pass(beyondSessionMs)
        const two = await join('two')
        await eventually(() => one.owned.length === 2 && two.owned.length === 2)
        expect({ assigned: one.count('assigned'), revoked: one.count('revoked') }).toEqual({ assigned: 4, revoked: 2 })
      },
    )

    test.runIf(supports.processes)('what a process leaves, another one is given', async () => {
      const [one, two] = [await join('one'), await join('two')]
      await eventually(() => one.owned.length === 2 && two.owned.length === 2)
      await one.leave()
      await eventually(() => two.owned.length === 4)
      expect(two.owned).toEqual(all)
    })

    test.runIf(supports.processes)('the tasks of a process that died go to another one', async () => {
      const [one, two] = [await join('one'), await join('two')]
      await eventually(() => one.owned.length === 2 && two.owned.length === 2)
      await world.kill('one')
      await eventually(() => two.owned.length === 4)
      expect(two.owned).toEqual(all)
    })

    test.runIf(supports.processes)(
      'an owner that was replaced cannot commit, and the new one goes on where it was',
      async () => {
        const one = await join('one')
        await eventually(() => one.owned.length === 4)
        const old = one.kept(0)
        await old.commitLog.fence()
        await commit(old, { epoch: 0, position: 3, outputs: ['first'] })
        const late = old.commitLog.begin()
        late.send(output('results', 'zombie'), 'exactly-once')
        await one.leave()
        const two = await join('two')
        await eventually(() => two.owned.length === 4)
        const next = two.kept(0)
        await next.commitLog.fence()
        expect((await next.commitLog.committed()).get('orders')?.position).toBe(3)
        await expect(
          late
            .prepare([])
            .then((end) => late.commit(at({ orders: 4, payments: 0 }), commitMetadata({ changelogEnd: end }))),
        ).rejects.toMatchObject({ code: 'commit-failed' })
        await commit(next, { epoch: 1, position: 4 })
        expect((await next.commitLog.committed()).get('orders')?.position).toBe(4)
      },
    )

    test.runIf(supports.lastStableOffset)(
      'an open transaction holds readers back, and an aborted one is passed over',
      async () => {
        const one = await join('one')
        await eventually(() => one.owned.length === 4)
        const [writer, other] = [one.kept(0), one.kept(1)]
        await writer.commitLog.fence()
        await other.commitLog.fence()
        const open = other.commitLog.begin()
        open.send(output('orders', 'aborted'), 'exactly-once')
        await open.prepare([])
        const reader = writer.inputs.read(at({ orders: 0 }), null)
        await commitOrder(writer, 'committed')
        await world.pass(stepMs)
        expect((await writer.inputs.range('orders')).end).toBe(0)
        expect(reader.readable).toBe(false)
        await open.abort()
        await readable(reader)
        expect(valueOf(reader.next())).toBe('committed')
      },
    )
  })
}

/** What a process does besides, when the group tells it something. */
interface Habits {
  readonly assigned?: () => void
  readonly rebalancing?: () => Promise<void>
  readonly revoked?: () => Promise<void>
}

const never = (): Promise<void> => new Promise(() => undefined)

/** One process in the group, as a runtime sees it: its tasks, and what has happened to them. */
class Member {
  readonly log: JobLog
  readonly tasks: Map<number, TaskLog> = new Map<number, TaskLog>()
  readonly story: string[] = []
  readonly #habits: Habits
  readonly listener: TaskListener = {
    assigned: (task) => {
      this.story.push(`assigned ${String(task.partition)}`)
      this.tasks.set(task.partition, task)
      this.#habits.assigned?.()
    },
    rebalancing: async () => {
      await this.#habits.rebalancing?.()
    },
    revoked: async (partition) => {
      this.story.push(`revoked ${String(partition)}`)
      const task = this.tasks.get(partition)
      this.tasks.delete(partition)
      await this.#habits.revoked?.()
      await task?.close()
    },
    failed: (error) => {
      this.story.push(`failed ${error.message}`)
    },
  }

  constructor(log: JobLog, habits: Habits = {}) {
    this.log = log
    this.#habits = habits
  }

  /** How often something has happened to its tasks. */
  count(what: 'assigned' | 'revoked'): number {
    return this.story.filter((event) => event.startsWith(what)).length
  }

  get owned(): readonly number[] {
    return [...this.tasks.keys()].toSorted((a, b) => a - b)
  }

  kept(partition: number): TaskLog {
    const task = this.tasks.get(partition)
    if (task === undefined) throw new Error(`task ${String(partition)} is not here`)
    return task
  }

  async leave(): Promise<void> {
    await this.log.leave()
    this.tasks.clear()
  }
}

async function commitOrder(log: TaskLog, value: string): Promise<void> {
  const transaction = log.commitLog.begin()
  transaction.send(output('orders', value), 'exactly-once')
  const end = await transaction.prepare([])
  await transaction.commit(at({ orders: 0, payments: 0 }), commitMetadata({ changelogEnd: end }))
}
