import { describe, expect, it } from 'vitest'
import { ratioInterval } from '../../bench/ratioInterval.ts'

const pairsOf = (ratios: readonly number[]): { before: number; now: number }[] =>
  ratios.map((ratio, at) => ({ before: at + 1, now: (at + 1) * ratio }))

describe('the interval of a ratio', () => {
  it('of ten pairs leaves the lowest and the highest out, whatever they are', () => {
    const { median, low, high, coverage } = ratioInterval(
      pairsOf([90, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 0]),
    )
    expect([median, low, high].map((ratio) => ratio.toFixed(3))).toEqual(['1.045', '1.010', '1.080'])
    // 1 - 2 (1 + 10) / 1024
    expect(coverage).toBeCloseTo(0.9785, 4)
  })

  it('of too few pairs is all of them, and says how little that is', () => {
    expect(ratioInterval(pairsOf([1.2, 0.9, 1]))).toEqual({
      median: expect.closeTo(1),
      low: expect.closeTo(0.9),
      high: expect.closeTo(1.2),
      coverage: 0.75,
    })
  })
})
