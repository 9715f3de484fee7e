import { describe, expect, test } from 'vitest'
import { delayAfter, retry } from '../../src/core/retry.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'

const backoff = { initialDelayMs: 10, maxDelayMs: 50 }

test('the wait between tries doubles up to the longest, however many there were', () => {
  expect([1, 2, 3, 4, 5, 5_000].map((failures) => delayAfter(backoff, failures))).toEqual([10, 20, 40, 50, 50, 50])
})

describe('what is tried again', () => {
  /** Tries that fail with their number until one succeeds, and when they were made. */
  function failing(clock: ManualClock, succeedsAt: number): { attempt: () => Promise<number>; times: number[] } {
    const times: number[] = []
    const attempt = async (): Promise<number> => {
      times.push(clock.monotonicMs() - begin)
      if (times.length < succeedsAt) throw new Error(String(times.length))
      return times.length
    }
    const begin = clock.monotonicMs()
    return { attempt, times }
  }

  test('is so until it succeeds, each time later', async () => {
    const clock = new ManualClock()
    const { attempt, times } = failing(clock, 4)
    const options = { ...backoff, clock, forMs: 1_000 }
    expect(await clock.runUntil(retry(options, attempt, () => true))).toBe(4)
    expect(times).toEqual([0, 10, 30, 70])
  })

  test('is so after the time that is asked for, and not where none is wanted', async () => {
    const clock = new ManualClock()
    const { attempt, times } = failing(clock, 4)
    const again = (error: unknown): number | false => error instanceof Error && error.message !== '3' && 5
    const refused = retry({ ...backoff, clock, forMs: 1_000 }, attempt, again).catch((error: unknown) => error)
    expect(await clock.runUntil(refused)).toMatchObject({ message: '3' })
    expect(times).toEqual([0, 5, 10])
  })

  test('is given up when it is late, without asking', async () => {
    const clock = new ManualClock()
    const { attempt } = failing(clock, Infinity)
    let asked = 0
    const again = async (): Promise<boolean> => {
      asked += 1
      return true
    }
    const refused = retry({ ...backoff, clock, forMs: 60 }, attempt, again).catch((error: unknown) => error)
    expect(await clock.runUntil(refused)).toMatchObject({ message: '4' })
    expect(asked).toBe(3)
  })

  test('is tried once more at once when the wait is ended from outside, and never again', async () => {
    const clock = new ManualClock()
    const { attempt, times } = failing(clock, Infinity)
    const stop = new AbortController()
    const options = { ...backoff, clock, forMs: 1_000, signal: stop.signal }
    const refused = retry(options, attempt, () => true).catch((error: unknown) => error)
    await clock.advance(15)
    stop.abort()
    expect(await clock.runUntil(refused)).toMatchObject({ message: '3' })
    expect(times).toEqual([0, 10, 15])
  })
})
