/** How much of a second is kept while nothing is asked: within the promised 5 %, and enough for timers that are late. */
const burstSeconds = 0.04

/**
 * A token bucket: over any stretch of time at most `perSecond` tokens a second, plus what it holds (one token and 4 % of a
 * second's). It begins with one token, so a start is no burst.
 */
export class RateLimiter {
  readonly #perMs: number
  readonly #most: number
  #tokens = 1
  #at: number | null = null

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000
    this.#most = 1 + perSecond * burstSeconds
  }

  /** Whole tokens there are at `now` (monotonic ms). */
  available(now: number): number {
    const elapsedMs = this.#at === null ? 0 : now - this.#at
    this.#at = now
    this.#tokens = Math.min(this.#most, this.#tokens + elapsedMs * this.#perMs)
    // Rounding must not cost a whole token: 3 x 0.1 is a little more or less than 0.3.
    return Math.floor(this.#tokens + 1e-9)
  }

  /** Spends tokens; never more than are `available`. */
  spend(tokens: number): void {
    this.#tokens -= tokens
  }

  /** Whole ms until the next token, counted from the last look. */
  nextInMs(): number {
    return Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMs))
  }
}
