import { describe, expect, it } from 'vitest'
import { FailingStretch } from '../../../src/runtime/task/failingStretch.ts'

/** More attempts than any search may take. */
const most = 200

/** Attempts at a stretch of which one record fails, until it is found alone; null: not within `most`. */
function attemptsUntilFound(records: number, failing: number): number | null {
  const stretch = new FailingStretch()
  let start = 0
  for (let attempt = 1; attempt <= most; attempt += 1) {
    const taken = Math.min(stretch.limit, records - start)
    if (failing >= start + taken) {
      stretch.committed()
      start += taken
    } else if (stretch.failed(String(start), taken) === 'poison') return start === failing ? attempt : null
  }
  return null
}

describe('a failing stretch', () => {
  it.each([
    [1, 0],
    [2, 1],
    [1_000, 0],
    [1_000, 700],
    [1_000_000, 999_999],
  ])('of %i records is narrowed down to record %i', (records, failing) => {
    expect(attemptsUntilFound(records, failing)).toBeLessThan(most)
  })

  it('is halved with each failure', () => {
    const stretch = new FailingStretch()
    expect(stretch.failed('0', 100)).toBe('replay')
    const limits = [100, 50, 25, 13].map((records) => {
      expect(stretch.failed('0', records)).toBe('halve')
      return stretch.limit
    })
    expect(limits).toEqual([50, 25, 13, 7])
  })

  it('doubles back with each commit, up to any length', () => {
    const stretch = new FailingStretch()
    stretch.failed('0', 100)
    stretch.failed('0', 100)
    stretch.committed()
    expect(stretch.limit).toBe(100)
    for (let commit = 0; commit < 20; commit += 1) stretch.committed()
    expect(stretch.limit).toBe(Infinity)
  })
})
