import { describe, expect, it } from 'vitest'
import { RateLimiter } from '../../src/lookup/rateLimiter.ts'

/** Spends all there is, every `everyMs`, for `ms`. */
function spend(limiter: RateLimiter, ms: number, everyMs: number, fromMs = 0): number {
  let spent = 0
  for (let now = fromMs; now <= fromMs + ms; now += everyMs) {
    const tokens = limiter.available(now)
    limiter.spend(tokens)
    spent += tokens
  }
  return spent
}

describe('RateLimiter', () => {
  it.each([
    [0.5, 250],
    [3, 7],
    [100, 10],
    [1_000, 13],
    [50_000, 1],
  ])('gives %d tokens a second, looked at every %i ms', (perSecond, everyMs) => {
    const spent = spend(new RateLimiter(perSecond), 100_000, everyMs)
    expect(spent).toBeGreaterThan(perSecond * 100 * 0.95)
    expect(spent).toBeLessThan(perSecond * 100 * 1.05)
  })

  it('gives at most five percent more in the second after a long rest', () => {
    const limiter = new RateLimiter(1_000)
    limiter.available(0)
    expect(spend(limiter, 1_000, 1, 3_600_000)).toBeLessThanOrEqual(1_050)
  })

  it('begins without a burst, and says when the next token comes', () => {
    const limiter = new RateLimiter(10)
    expect(limiter.available(0)).toBe(1)
    limiter.spend(1)
    expect(limiter.nextInMs()).toBe(100)
    expect([limiter.available(99), limiter.available(100)]).toEqual([0, 1])
  })
})
