import { beforeEach, describe, expect, test } from 'vitest'
import { sleep } from '../../../src/core/ports/clock.ts'
import type { FollowedEpoch, FollowedSink, RefusedRow } from '../../../src/core/ports/follower.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { MemoryFollower, MemoryTarget } from '../../../src/testing/world/memoryFollower.ts'
import { MemoryTopic } from '../../../src/testing/world/memoryTopic.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'
import { FollowedLog, FollowedTask, sink } from '../../support/followedTask.ts'

/** Notes what it is asked to write. */
class NotedFollower extends MemoryFollower {
  readonly epochs: FollowedEpoch[] = []

  written: () => void = () => undefined

  override async write(of: FollowedSink, epoch: FollowedEpoch): Promise<readonly RefusedRow[]> {
    this.epochs.push(epoch)
    const refused = await super.write(of, epoch)
    this.written()
    return refused
  }
}

describe('the followers of a task', () => {
  let clock: ManualClock
  let log: FollowedLog
  let target: MemoryTarget
  let follower: NotedFollower
  let task: FollowedTask

  const open = (maxBytes?: number): FollowedTask => {
    const process = new TestProcess({ clock })
    follower = new NotedFollower(target, process)
    return new FollowedTask(log, process, follower, maxBytes)
  }
  const rows = (): readonly string[] => target.rows(sink).map(({ row }) => row.toString())

  beforeEach(async () => {
    clock = new ManualClock(1_700_000_000_000)
    log = new FollowedLog()
    target = new MemoryTarget()
    task = open()
    await clock.runUntil(task.recover())
  })

  test('hand whole epochs over, however many chunks they take in the log', async () => {
    const large = Array.from({ length: 10 }, (_, index) => String(index).repeat(100_000))
    await clock.runUntil(task.commit(...large).then(() => task.settle()))
    expect(log.partition.highWatermark).toBeGreaterThan(4)
    expect(follower.epochs.map((epoch) => epoch.rows.map(String))).toEqual([large])
  })

  test('begin the time of an epoch behind the last row, whatever the clock says', async () => {
    await clock.runUntil(
      task
        .commit('a', 'b')
        .then(() => task.commit('c'))
        .then(() => task.settle()),
    )
    const first = clock.now() * 1000
    expect(follower.epochs.map(({ baseMicros }) => baseMicros)).toEqual([first, first + 3])
    expect(target.rows(sink).map(({ timestampMicros }) => timestampMicros)).toEqual([first, first + 1, first + 3])
  })

  test('say which epoch was written before, and which is ticked off', async () => {
    target.down = true
    await clock.runUntil(
      task
        .commit('a')
        .then(() => task.commit())
        .then(() => task.commit('b')),
    )
    target.down = false
    await clock.runUntil(
      task
        .settle()
        .then(() => task.commit('c'))
        .then(() => task.settle()),
    )
    const written = new Map(follower.epochs.map(({ epoch, previous, tickedOff }) => [epoch, { previous, tickedOff }]))
    expect([...written.entries()]).toEqual([
      [1, { previous: null, tickedOff: null }],
      [3, { previous: 1, tickedOff: expect.toSatisfy((epoch) => epoch === null || epoch === 1) as unknown }],
      [expect.any(Number), { previous: 3, tickedOff: 3 }],
    ])
  })

  test('are full while more waits in the log than it may', async () => {
    await task.followers.close()
    task = open(2_000)
    await clock.runUntil(task.recover())
    target.down = true
    await clock.runUntil(task.commit('x'.repeat(500)))
    expect(task.followers.full).toBe(false)
    await clock.runUntil(task.commit('y'.repeat(500)))
    expect(task.followers.full).toBe(true)
    const waiting = (): number =>
      task.followers.figures[0]?.[1].find(({ name }) => name === 'follower_waiting_bytes')?.value as number
    const before = waiting()
    // The next owner knows it too.
    await clock.runUntil(task.followers.close())
    task = open(2_000)
    await clock.runUntil(task.recover())
    expect(task.followers.full).toBe(true)
    expect(waiting()).toBe(before)
    target.down = false
    await clock.runUntil(task.settle())
    expect(task.followers.full).toBe(false)
    expect(waiting()).toBe(0)
  })

  test('remove from the log what was ticked off, a stretch at a time', async () => {
    for (let epoch = 0; epoch < 6; epoch += 1) {
      await clock.runUntil(task.commit('z'.repeat(300_000)).then(() => task.settle()))
    }
    expect(log.partition.range.start).toBeGreaterThan(0)
    expect(log.partition.range.start).toBeLessThanOrEqual(log.progress.get(sink.sink)?.offset ?? 0)
  })

  test('stop when the log begins behind what is to be sent', async () => {
    target.down = true
    await clock.runUntil(task.commit('a').then(() => task.followers.close()))
    log.partition.removeBefore(1)
    target.down = false
    task = open()
    await clock.runUntil(task.recover())
    await expect(clock.runUntil(task.settle())).rejects.toMatchObject({
      code: 'data-removed',
      details: { sink: 'rows' },
    })
    expect(rows()).toEqual([])
  })

  test('stop when a committed epoch is not in the log', async () => {
    target.down = true
    await clock.runUntil(task.commit('a').then(() => task.followers.close()))
    log.partition.compact(() => false)
    target.down = false
    task = open()
    await clock.runUntil(task.recover())
    await expect(clock.runUntil(task.settle())).rejects.toMatchObject({ code: 'data-removed' })
  })

  test('stop when an epoch between others is not in the log', async () => {
    target.down = true
    for (const row of ['a', 'b', 'c']) await clock.runUntil(task.commit(row))
    const [, second] = log.partition.records
    log.partition.compact((record) => record !== second)
    target.down = false
    await expect(clock.runUntil(task.settle())).rejects.toMatchObject({
      code: 'data-removed',
      message: expect.stringContaining('epoch 2 stood before epoch 3') as unknown,
    })
    expect(rows()).toEqual(['a'])
  })

  test('go on in a log that was made anew while nothing waited in it', async () => {
    await clock.runUntil(task.commit('a').then(() => task.settle()))
    await clock.runUntil(task.followers.close())
    log.partition = new MemoryTopic('test-source-wal').partition(0)
    task = open()
    await clock.runUntil(task.recover())
    await clock.runUntil(task.commit('b').then(() => task.settle()))
    expect(rows()).toEqual(['a', 'b'])
  })

  test('write anew what is not ticked off when the target loses it under way', async () => {
    await clock.runUntil(task.commit('a').then(() => task.settle()))
    target.down = true
    await clock.runUntil(task.commit('b').then(() => task.commit('c')))
    follower.written = () => {
      target.rollBack(sink, 1)
      follower.written = () => undefined
    }
    target.down = false
    await clock.runUntil(
      (async () => {
        while (rows().at(-1) !== 'c') await sleep(clock, 10)
        await task.settle()
      })(),
    )
    expect(rows()).toEqual(['a', 'b', 'c'])
    expect(follower.epochs.map((epoch) => epoch.rows.join('')).join('')).toMatch(/a.*bcbc$/)
  })

  test('do not forget a sink with rows that were not sent', async () => {
    target.down = true
    await clock.runUntil(task.commit('a'))
    log.progress = new Map([
      ['renamed', log.progress.get(sink.sink) ?? { sent: null, offset: 0, logged: null, bytes: 0 }],
    ])
    await expect(task.recover()).rejects.toMatchObject({ code: 'unclaimed-state', details: { uids: 'renamed' } })
  })

  test('begin at the end of the log for a sink that is new', async () => {
    await clock.runUntil(task.commit('a').then(() => task.settle()))
    const { end } = log.partition.range
    const adopted = await task.followers.adopt(new Map())
    expect(adopted.get(sink.sink)).toEqual({ sent: null, offset: end, logged: null, bytes: 0 })
  })

  describe('before a reset', () => {
    const drain = (signal = new AbortController().signal) => task.followers.drain(log.progress, log.epoch, signal)

    beforeEach(async () => {
      await clock.runUntil(task.commit('a').then(() => task.settle()))
      target.down = true
      await clock.runUntil(task.commit('b').then(() => task.followers.close()))
    })

    test('send all that is logged, and then know nothing of the target any more', async () => {
      const drained = clock.runUntil(drain())
      target.down = false
      const { end } = log.partition.range
      expect((await drained).get(sink.sink)).toEqual({ sent: null, offset: end - 1, logged: null, bytes: 0 })
      expect(rows()).toEqual(['a', 'b'])
    })

    test('send it to a target that was made anew', async () => {
      target.rollBack(sink, 1)
      target.down = false
      await clock.runUntil(drain())
      expect(rows()).toEqual(['b'])
    })

    test('keep what is refused for the dead letters of a later epoch', async () => {
      target.refuses = () => 'no'
      target.down = false
      expect(await clock.runUntil(drain())).toEqual(log.progress)
    })

    test('give up when the task ends', async () => {
      const ending = new AbortController()
      const drained = clock.runUntil(drain(ending.signal))
      ending.abort()
      await expect(drained).rejects.toMatchObject({ code: 'system-unreachable' })
    })
  })

  test('know the newest epoch of their targets, for a task whose commits are gone', async () => {
    expect(await clock.runUntil(task.followers.newest())).toBeNull()
    await clock.runUntil(task.commit('a').then(() => task.settle()))
    expect(await clock.runUntil(task.followers.newest())).toEqual({
      epoch: 1,
      followerBaseMicros: clock.now() * 1000 + 2,
    })
  })
})
