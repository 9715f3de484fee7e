import { describe, expect, test } from 'vitest'
import { visibleRange } from '../../src/core/visibleRange.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'

/** A changelog whose readable end is moved by the test. */
function changelog(
  end: number,
  writtenEnd: number,
): { end: number; reads: number; ends: Parameters<typeof visibleRange>[2] } {
  const log = {
    end,
    reads: 0,
    ends: {
      range: () => {
        log.reads += 1
        return Promise.resolve({ start: 0, end: log.end })
      },
      writtenEnd: () => Promise.resolve(writtenEnd),
    },
  }
  return log
}

describe('the range of a changelog', () => {
  test('is returned at once where it reaches what is committed', async () => {
    const log = changelog(7, 9)
    expect(await visibleRange(new ManualClock(), 7, log.ends)).toEqual({ start: 0, end: 7 })
    expect(log.reads).toBe(1)
  })

  test('is waited for while the marker of a commit is under way, and asked for ever less often', async () => {
    const clock = new ManualClock()
    const log = changelog(3, 9)
    const found = visibleRange(clock, 7, log.ends)
    await clock.advance(5_000)
    expect(log.reads).toBeLessThan(60)
    log.end = 8
    await clock.advance(100)
    expect(await found).toEqual({ start: 0, end: 8 })
  })

  test('is no loss when all is written and the marker does not come: the log is asked again later', async () => {
    const clock = new ManualClock()
    const found = visibleRange(clock, 7, changelog(3, 7).ends).catch((error: unknown) => error)
    await clock.advance(11_000)
    expect(await found).toMatchObject({ code: 'system-unreachable', kind: 'unreachable' })
    expect(String(await found)).toContain('committed up to 7 and can be read up to 3 only')
  })

  test('is returned as it is when its records are gone', async () => {
    const clock = new ManualClock()
    const found = visibleRange(clock, 7, changelog(3, 3).ends)
    await clock.advance(11_000)
    expect(await found).toEqual({ start: 0, end: 3 })
  })
})
