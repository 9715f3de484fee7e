import { checkWhole, checkWord, invalidArgument } from '../core/mistakes.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { Random } from '../core/ports/random.ts'
import { delayAfter, type Backoff } from '../core/retry.ts'
import type { StepOptions } from '../core/stepOptions.ts'
import type { RateLimiter } from './rateLimiter.ts'

/** How often and how fast something is tried again. */
export interface RetryPolicy extends Backoff {
  /** Tries in all, the first one included. */
  readonly attempts: number
}

/**
 * The delay before try `attempt + 1` after try `attempt` (from 1) has failed: it doubles up to the maximum, and the upper
 * half of it is random, so that what failed together is not tried again together.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: Random): number {
  return Math.ceil(delayAfter(policy, attempt) * (0.5 + random.next() / 2))
}

/** How `asyncLookup` reads, whatever it reads with. */
export interface LookupOptions extends StepOptions {
  /** `ordered`: outputs in the order of inputs. `unordered`: as answers come, so a slow record holds up no other. */
  readonly wait: 'ordered' | 'unordered'
  /**
   * Records inside at which the input is paused. Default 100. What upstream makes of one record (`mergeMap`), or flushes
   * at the barrier, comes in beyond it.
   */
  readonly capacity?: number
  /** Requests in flight, never exceeded; a group is one. Default 32. */
  readonly reads?: number
  /**
   * What the requests for one record may take in all, and the delays between them, in ms. To wait for a read, for the rate
   * limit or in the client does not count. Default 5,000.
   */
  readonly timeoutMs?: number
  /**
   * Records in one request, for a client that takes groups. `auto` (default): what waits is spread over the free reads,
   * in groups of at least a quarter of `capacity`, and of 16, where that many wait; a number: groups of at most so many;
   * `off`: one by one.
   */
  readonly batch?: 'auto' | 'off' | number
  /** Tries in all and the delays between them, for retriable errors. Default 3 tries, 50 ms doubling up to 1,000 ms. */
  readonly retry?: Partial<RetryPolicy>
  /** Records asked for per second by one task, tries again and members of groups counted. Default null: no limit. */
  readonly rateLimit?: number | null
  /**
   * What a lookup leads to that timed out or ran out of tries while its system answers others: a bad record for `onError`
   * (`dead-letter`, default), or a failed epoch (`fail`), which is replayed as the restart strategy says.
   */
  readonly whenExhausted?: 'dead-letter' | 'fail'
}

/** Options as they count: checked, defaults filled in. */
export interface CheckedLookupOptions extends Required<Omit<LookupOptions, keyof StepOptions | 'retry'>> {
  readonly retry: RetryPolicy
}

/** How the engine reads in one attempt. */
export interface LookupPolicy extends Pick<CheckedLookupOptions, 'reads' | 'timeoutMs' | 'retry'> {
  /** How many of `waiting` records the next group takes while `free` read slots are free. */
  readonly groupSize: (waiting: number, free: number) => number
  /** The task's; null: no limit. */
  readonly limiter: RateLimiter | null
  readonly clock: Clock
  readonly random: Random
}

const operator = 'asyncLookup'
const longestTimeoutMs = 24 * 60 * 60 * 1_000

/** Below this a group is not worth a request of its own while others wait. */
const smallestGroup = 16
/**
 * The larger a group, the more of its keys a client can read together. A quarter of what may be inside leaves three more
 * groups to be under way while one is answered, and it is what the source emits in one go when the gate reopens.
 */
const groupsInside = 4

/** Checks and completes the options. Throws `invalid-argument`. */
export function checkLookupOptions(options: LookupOptions): CheckedLookupOptions {
  const { wait, capacity = 100, reads = 32, timeoutMs = 5_000, batch = 'auto', retry = {}, rateLimit = null } = options
  const { whenExhausted = 'dead-letter' } = options
  const { attempts = 3, initialDelayMs = 50, maxDelayMs = 1_000 } = retry
  checkWord({ operator, option: 'wait', example: "wait: 'unordered'" }, wait, ['ordered', 'unordered'])
  checkWhole({ operator, option: 'capacity', example: 'capacity: 100' }, capacity)
  checkWhole({ operator, option: 'reads', example: 'reads: 32' }, reads)
  checkWhole({ operator, option: 'timeoutMs', example: 'timeoutMs: 5_000' }, timeoutMs, 1, longestTimeoutMs)
  const batchPlace = { operator, option: 'batch', example: "batch: 'auto', 'off' or 100" }
  if (typeof batch === 'number') checkWhole(batchPlace, batch)
  else checkWord(batchPlace, batch, ['auto', 'off'])
  const exhaustedPlace = { operator, option: 'whenExhausted', example: "whenExhausted: 'fail'" }
  checkWord(exhaustedPlace, whenExhausted, ['dead-letter', 'fail'])
  const example = 'retry: { attempts: 3, initialDelayMs: 50, maxDelayMs: 1_000 }'
  checkWhole({ operator, option: 'retry.attempts', example }, attempts)
  checkWhole({ operator, option: 'retry.initialDelayMs', example }, initialDelayMs, 0, longestTimeoutMs)
  checkWhole({ operator, option: 'retry.maxDelayMs', example }, maxDelayMs, initialDelayMs, longestTimeoutMs)
  if (rateLimit !== null && !(Number.isFinite(rateLimit) && rateLimit > 0)) {
    const place = { operator, option: 'rateLimit', example: 'rateLimit: 500' }
    throw invalidArgument(place, rateLimit, 'a number of lookups per second above 0, or null')
  }
  const checkedRetry = { attempts, initialDelayMs, maxDelayMs }
  return { wait, capacity, reads, timeoutMs, batch, retry: checkedRetry, rateLimit, whenExhausted }
}

/** How large groups are, whatever the client takes. */
export function groupSizing({
  batch,
  capacity,
}: Pick<CheckedLookupOptions, 'batch' | 'capacity'>): LookupPolicy['groupSize'] {
  if (batch === 'off') return () => 1
  if (typeof batch === 'number') return () => batch
  const worthwhile = Math.max(smallestGroup, Math.floor(capacity / groupsInside))
  return (waiting, free) => Math.max(worthwhile, Math.ceil(waiting / free))
}
