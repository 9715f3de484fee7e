import { expect, it } from 'vitest'
import { backoffMs } from '../../src/lookup/lookupPolicy.ts'

it('backoffMs doubles up to the maximum, and its upper half is random', () => {
  const policy = { attempts: 9, initialDelayMs: 50, maxDelayMs: 300 }
  const delays = (next: number): number[] =>
    [1, 2, 3, 4, 60].map((n) => backoffMs(policy, n, { next: () => next, hex: () => '' }))
  expect(delays(0)).toEqual([25, 50, 100, 150, 150])
  expect(delays(0.999_999)).toEqual([50, 100, 200, 300, 300])
})
