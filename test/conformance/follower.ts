import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Follower } from '../../src/core/ports/follower.ts'
import type { ManualClock } from '../../src/testing/world/manualClock.ts'
import { TestProcess, type CrashPoint } from '../../src/testing/world/testProcess.ts'
import { FollowedLog, FollowedTask } from '../support/followedTask.ts'

/** A target, and followers that write to it. */
export interface FollowerWorld {
  /** On which time passes. */
  readonly clock: ManualClock
  /** A connected follower of a process; it may ask the process for each of its steps, which may die there. */
  open(process: TestProcess): Promise<Follower>
  /** The rows that can be seen of `sink`, as texts, in the target's order. */
  rows(): Promise<readonly string[]>
  /** From now on the target is out of reach, or back. */
  setDown(down: boolean): void
  /** Until it answers. */
  setLatency(ms: number): void
  /** From now on it refuses rows with this text for good; null: none. */
  refuse(text: string | null): void
  /** Sets it back to what it was so many epochs before; asked only of one that keeps a record. */
  rollBack(epochs: number): void
  close(): Promise<void>
}

/** In what a follower may differ. */
export interface FollowerTraits {
  /** False: it keeps no record of its epochs, and cannot tell that the target went back. */
  readonly keepsRecord?: boolean
}

/** What every follower must do behind the write-ahead log of a task; each implementation runs it. */
export function followerConformance(
  name: string,
  makeWorld: () => Promise<FollowerWorld>,
  { keepsRecord = true }: FollowerTraits = {},
): void {
  describe(`follower: ${name}`, () => {
    let world: FollowerWorld
    let log: FollowedLog

    beforeEach(async () => {
      world = await makeWorld()
      log = new FollowedLog()
    })
    afterEach(() => world.close())

    const passing = <T>(act: () => Promise<T>): Promise<T> => world.clock.runUntil(act())

    /** A process that has the task now, and goes on from the last commit. */
    const owner = async (): Promise<Owner> => {
      const process = new TestProcess({ clock: world.clock })
      const task = new FollowedTask(log, process, await world.open(process))
      await passing(() => task.recover())
      return { process, task }
    }

    test('has the rows of each epoch after its commit, in order', async () => {
      const { task } = await owner()
      await passing(async () => {
        await task.commit('a', 'b')
        expect(await world.rows()).toEqual([])
        await task.commit('c')
        await task.commit()
        await task.commit('d', 'e')
        await task.settle()
      })
      expect(await world.rows()).toEqual(['a', 'b', 'c', 'd', 'e'])
    })

    test('has the same rows when an epoch is written again', async () => {
      const { task, process } = await owner()
      await passing(async () => {
        await task.commit('a', 'b')
        await task.written()
      })
      process.kill('before the tick-off')
      const next = await owner()
      await passing(async () => {
        await next.task.commit('c')
        await next.task.settle()
      })
      expect(await world.rows()).toEqual(['a', 'b', 'c'])
    })

    test('has all rows, in order, when it was out of reach for 50 epochs', async () => {
      const { task } = await owner()
      world.setDown(true)
      await passing(async () => {
        for (let epoch = 0; epoch < 50; epoch += 1) await task.commit(`${String(epoch)}a`, `${String(epoch)}b`)
      })
      expect(task.followers.due).toBe(false)
      expect(await world.rows()).toEqual([])
      world.setDown(false)
      await passing(() => task.settle())
      expect(await world.rows()).toEqual(log.rows)
      expect(log.deadLetters).toEqual([])
    })

    test('goes on in another process, with what was not sent', async () => {
      const { task } = await owner()
      world.setDown(true)
      await passing(async () => {
        await task.commit('a')
        await task.commit('b')
        await task.followers.close()
      })
      world.setDown(false)
      const next = await owner()
      await passing(async () => {
        await next.task.commit('c')
        await next.task.settle()
      })
      expect(await world.rows()).toEqual(['a', 'b', 'c'])
    })

    test('does not hold up the epochs of the task when it is slow', async () => {
      const { task } = await owner()
      world.setLatency(5_000)
      const before = world.clock.monotonicMs()
      await passing(async () => {
        for (const row of ['a', 'b', 'c']) await task.commit(row)
      })
      expect(world.clock.monotonicMs() - before).toBeLessThan(5_000)
      await passing(() => task.settle())
      expect(await world.rows()).toEqual(['a', 'b', 'c'])
    })

    test('refuses one row and takes the others; the row becomes one dead letter', async () => {
      world.refuse('bad')
      const { task } = await owner()
      await passing(async () => {
        await task.commit('a', 'bad', 'b')
        await task.commit('c')
        await task.settle()
      })
      expect(await world.rows()).toEqual(['a', 'b', 'c'])
      expect(log.deadLetters).toEqual([expect.stringMatching(/^bad: /)])
    })

    test('refuses the same rows again when an epoch is written again', async () => {
      world.refuse('bad')
      const { task, process } = await owner()
      await passing(async () => {
        await task.commit('a', 'bad')
        await task.written()
      })
      process.kill('before the dead letter is committed')
      const next = await owner()
      await passing(() => next.task.settle())
      expect(await world.rows()).toEqual(['a'])
      expect(log.deadLetters).toEqual([expect.stringMatching(/^bad: /)])
    })

    test('has every row once when it is killed between any two steps', async () => {
      const epochs = [['a', 'bad', 'b'], ['c'], [], ['d', 'e', 'f']]
      for (const point of ['before', 'after'] as const) {
        for (let at = 0, calls = Infinity; at < calls; at += 1) {
          await world.close()
          world = await makeWorld()
          world.refuse('bad')
          log = new FollowedLog()
          calls = 0
          const crashAt = (): CrashPoint | null => {
            calls += 1
            return calls - 1 === at ? point : null
          }
          const run = async (process: TestProcess): Promise<boolean> => {
            const task = new FollowedTask(log, process, await world.open(process))
            await task.recover()
            for (const rows of epochs.slice(log.epoch)) await task.commit(...rows)
            await task.settle()
            return true
          }
          for (let done = false; !done;) {
            const process = new TestProcess({ clock: world.clock, crashAt })
            done = await passing(() => Promise.race([run(process), process.crashed.then(() => false)]))
          }
          expect(await world.rows(), `killed ${point} call ${String(at)}`).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
          expect(log.deadLetters, `killed ${point} call ${String(at)}`).toHaveLength(1)
        }
      }
    })

    test.runIf(keepsRecord)('writes anew what is not ticked off when the target went back by no more', async () => {
      const { task } = await owner()
      await passing(async () => {
        await task.commit('a')
        await task.settle()
        await task.commit('b')
        await task.written()
      })
      world.rollBack(1)
      expect(await world.rows()).toEqual(['a'])
      await passing(async () => {
        // What it would tick off is gone again, which is found out with the next rows or the next owner.
        await task.followers.close()
      })
      const next = await owner()
      await passing(async () => {
        await next.task.commit('c')
        await next.task.settle()
      })
      expect(await world.rows()).toEqual(['a', 'b', 'c'])
    })

    test.runIf(keepsRecord)('stops when the target lacks what was ticked off', async () => {
      const { task } = await owner()
      await passing(async () => {
        await task.commit('a')
        await task.settle()
        await task.commit('b')
        await task.settle()
      })
      world.rollBack(1)
      const stopped = passing(async () => {
        await task.commit('c')
        await task.settle()
      })
      await expect(stopped).rejects.toMatchObject({ code: 'target-went-back', details: { epoch: 3, found: 1 } })
      expect(await world.rows()).toEqual(['a'])
      const next = await owner()
      await expect(passing(() => next.task.settle())).rejects.toMatchObject({ code: 'target-went-back' })
    })

    test.runIf(keepsRecord)('is not written by an owner that another one has passed by', async () => {
      const first = await owner()
      world.setDown(true)
      await passing(() => first.task.commit('a'))
      const stale = { epoch: log.epoch, floor: log.floorMicros, progress: log.progress }
      world.setDown(false)
      const second = await owner()
      await passing(async () => {
        await second.task.settle()
        await second.task.commit('b')
        await second.task.settle()
      })
      // The log as the first one knows it: the target is beyond that.
      log.epoch = stale.epoch
      log.progress = stale.progress
      const third = await owner()
      await expect(passing(() => third.task.settle())).rejects.toMatchObject({ code: 'follower-fenced' })
      expect(await world.rows()).toEqual(['a', 'b'])
    })

    test('orders rows by time over moves of the task and a clock that is set back', async () => {
      const { task, process } = await owner()
      await passing(async () => {
        await task.commit('a', 'b')
        await task.settle()
      })
      const before = log.floorMicros ?? 0
      process.jump(-3_600_000)
      await passing(async () => {
        await task.commit('c')
        await task.settle()
      })
      expect(log.floorMicros).toBeGreaterThan(before)
      expect(await world.rows()).toEqual(['a', 'b', 'c'])
    })
  })
}

interface Owner {
  readonly process: TestProcess
  readonly task: FollowedTask
}
