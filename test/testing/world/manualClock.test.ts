import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { sleep } from '../../../src/core/ports/clock.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'

const never = new Promise<never>(() => undefined)

describe('ManualClock', () => {
  test('time stands still until it is advanced', async () => {
    const clock = new ManualClock(1_000)
    expect(clock.now()).toBe(1_000)
    await clock.advance(50)
    expect(clock.now()).toBe(1_050)
  })

  test('the wall clock is set apart from timers and durations', async () => {
    const clock = new ManualClock(1_000)
    let fired = 0
    clock.after(100, () => (fired += 1))
    await clock.advance(50)
    clock.jump(-3_600_000)
    expect([clock.now(), clock.monotonicMs(), clock.nextDueMs]).toEqual([1_050 - 3_600_000, 50, 100])
    clock.jump(7_200_000)
    await clock.advance(49)
    expect(fired).toBe(0)
    await clock.advance(1)
    expect([fired, clock.now(), clock.monotonicMs()]).toEqual([1, 1_100 + 3_600_000, 100])
  })

  test('timers fire in order of time, equal ones in order of their making, each at its own time', async () => {
    const clock = new ManualClock()
    const fired: string[] = []
    for (const [name, delayMs] of [
      ['c', 20],
      ['a', 10],
      ['b', 10],
      ['late', 31],
    ] as const) {
      clock.after(delayMs, () => fired.push(`${name}@${String(clock.now())}`))
    }
    await clock.advance(30)
    expect(fired).toEqual(['a@10', 'b@10', 'c@20'])
    expect(clock.pending).toBe(1)
  })

  test('a timer never fires synchronously, not even with no delay', async () => {
    const clock = new ManualClock()
    const fired: number[] = []
    clock.after(0, () => fired.push(0))
    clock.after(-5, () => fired.push(-5))
    expect(fired).toEqual([])
    await clock.advance(0)
    expect(fired).toEqual([0, -5])
  })

  test('promise reactions and soon callbacks of one timer run before the next timer', async () => {
    const clock = new ManualClock()
    const steps: string[] = []
    clock.after(1, () => {
      void Promise.resolve().then(() => {
        steps.push('reaction')
        clock.soon(() => {
          steps.push('soon')
          void Promise.resolve().then(() => {
            clock.soon(() => steps.push('soon of a reaction of soon'))
          })
        })
      })
    })
    clock.after(1, () => steps.push('next timer'))
    await clock.advance(1)
    expect(steps).toEqual(['reaction', 'soon', 'soon of a reaction of soon', 'next timer'])
  })

  test('a timer set by a timer fires in the same advance when it is due', async () => {
    const clock = new ManualClock()
    const fired: number[] = []
    const again = (): void => {
      fired.push(clock.now())
      clock.after(10, again)
    }
    clock.after(10, again)
    await clock.advance(35)
    expect(fired).toEqual([10, 20, 30])
  })

  test('a cancelled timer does not fire and does not count as pending', async () => {
    const clock = new ManualClock()
    const fired: string[] = []
    const timers = ['a', 'b', 'c'].map((name) => clock.after(10, () => fired.push(name)))
    timers[1]?.cancel()
    timers[1]?.cancel()
    expect(clock.pending).toBe(2)
    await clock.advance(10)
    timers[0]?.cancel()
    expect(fired).toEqual(['a', 'c'])
    expect(clock.pending).toBe(0)
  })

  test('what yields with soon makes progress without any time passing', async () => {
    const clock = new ManualClock(7)
    const yielded = await new Promise<number>((resolve) => {
      const pump = (rounds: number): void => {
        if (rounds === 100) resolve(clock.now())
        else
          clock.soon(() => {
            pump(rounds + 1)
          })
      }
      pump(0)
    })
    expect(yielded).toBe(7)
  })

  test('sleep ends with the time', async () => {
    const clock = new ManualClock()
    let awake = false
    void sleep(clock, 100).then(() => (awake = true))
    await clock.advance(99)
    expect(awake).toBe(false)
    await clock.advance(1)
    expect(awake).toBe(true)
  })

  test('runAll ends with the last timer', async () => {
    const clock = new ManualClock()
    clock.after(5_000, () => clock.after(5_000, () => undefined))
    await clock.runAll()
    expect([clock.now(), clock.pending]).toEqual([10_000, 0])
  })

  test('runAll gives up on a timer that sets itself for ever', async () => {
    const clock = new ManualClock()
    const again = (): void => {
      clock.after(1, again)
    }
    again()
    await expect(clock.runAll(50)).rejects.toMatchObject({ code: 'no-end' })
  })

  test('runUntil passes only as much time as the promise needs', async () => {
    const clock = new ManualClock()
    clock.after(500, () => undefined)
    expect(await clock.runUntil(sleep(clock, 300).then(() => 'done'))).toBe('done')
    expect([clock.now(), clock.pending]).toEqual([300, 1])
  })

  test('runUntil hands on a rejection', async () => {
    const clock = new ManualClock()
    const failing = sleep(clock, 10).then(() => Promise.reject(new Error('broken')))
    await expect(clock.runUntil(failing)).rejects.toThrow('broken')
  })

  test('runUntil waits for real I/O while no timer waits', async () => {
    const clock = new ManualClock()
    expect(await clock.runUntil(readFile(import.meta.filename, 'utf8'))).toContain('runUntil')
    expect(clock.now()).toBe(0)
  })

  test('runUntil says that nothing can end what it waits for', async () => {
    await expect(new ManualClock().runUntil(never)).rejects.toMatchObject({ code: 'no-end' })
  })

  test('runUntil gives up after its limit of virtual time', async () => {
    const clock = new ManualClock()
    const again = (): void => {
      clock.after(1_000, again)
    }
    again()
    await expect(clock.runUntil(never, 10_000)).rejects.toMatchObject({ code: 'no-end' })
    expect(clock.now()).toBe(10_000)
  })

  test.each([NaN, Infinity, 2 ** 31])('a timer of %d ms is refused', (delayMs) => {
    expect(() => new ManualClock().after(delayMs, () => undefined)).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    )
  })

  test('two moves at once are refused', async () => {
    const clock = new ManualClock()
    const first = clock.advance(1)
    await expect(clock.advance(1)).rejects.toMatchObject({ code: 'invalid-argument' })
    await first
    await clock.advance(1)
    expect(clock.now()).toBe(2)
  })
})
