import type { Random } from '../core/ports/random.ts'

/** How often and how fast something is tried again. */
export interface RetryPolicy {
  /** Tries in all, the first one included. */
  readonly attempts: number
  readonly initialDelayMs: number
  readonly maxDelayMs: number
}

/**
 * The delay before try `attempt + 1` after try `attempt` (from 1) has failed: it doubles up to the maximum, and the upper
 * half of it is random, so that what failed together is not tried again together.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: Random): number {
  const full = Math.min(policy.maxDelayMs, policy.initialDelayMs * 2 ** (attempt - 1))
  return Math.ceil(full * (0.5 + random.next() / 2))
}
