import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { TestProcess, type CrashPoint } from '../../../src/testing/world/testProcess.ts'

const crashingAt = (at: number, point: CrashPoint): TestProcess =>
  new TestProcess({ clock: new ManualClock(), crashAt: (_, index) => (index === at ? point : null) })

/** Whether a promise settles when nothing but promise reactions is left to do. */
async function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const settle = (): void => {
    settled = true
  }
  promise.then(settle, settle)
  await new ManualClock().settle()
  return settled
}

describe('TestProcess', () => {
  test('calls are answered while it lives, refusals included', async () => {
    const process = new TestProcess({ clock: new ManualClock() })
    expect(await process.call('a', () => 1)).toBe(1)
    await expect(process.call('b', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(process.calls).toBe(2)
  })

  test('a crash before a call keeps it from taking effect, and no answer comes', async () => {
    const process = crashingAt(1, 'before')
    const done: number[] = []
    await process.call('log.fence', () => done.push(0))
    expect(await settles(process.call('log.commit', () => done.push(1)))).toBe(false)
    expect(done).toEqual([0])
    expect(process.alive).toBe(false)
    expect(await process.crashed).toContain('log.commit')
  })

  test('after a crash after a call it has taken effect, and no answer comes', async () => {
    const process = crashingAt(0, 'after')
    const done: number[] = []
    expect(await settles(process.call('log.commit', () => done.push(1)))).toBe(false)
    expect(done).toEqual([1])
    expect(await process.crashed).toContain('after it took effect')
  })

  test('what was under way when it dies is never answered', async () => {
    const process = new TestProcess({ clock: new ManualClock() })
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const answer = process.call('tables.lookup', () => promise)
    process.kill('test')
    resolve(undefined)
    expect(await settles(answer)).toBe(false)
    expect(await settles(process.call('log.fence', () => undefined))).toBe(false)
  })

  test('neither timers nor soon callbacks of a dead process run, and it sets no new ones', async () => {
    const clock = new ManualClock()
    const process = new TestProcess({ clock })
    const ran: string[] = []
    process.clock.after(10, () => ran.push('timer'))
    process.clock.soon(() => ran.push('soon'))
    process.kill('test')
    process.clock.after(10, () => ran.push('late'))
    await clock.advance(20)
    expect(ran).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('its clock is the world clock', async () => {
    const clock = new ManualClock(5)
    const process = new TestProcess({ clock })
    const ran: number[] = []
    process.clock.after(10, () => ran.push(process.clock.now()))
    process.clock.after(10, () => ran.push(-1)).cancel()
    await clock.advance(20)
    expect(ran).toEqual([15])
  })
})
