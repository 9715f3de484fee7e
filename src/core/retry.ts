import { sleep, type Clock } from './ports/clock.ts'

/** The waits between tries: each is twice as long as the one before, from the first to the longest. */
export interface Backoff {
  readonly initialDelayMs: number
  readonly maxDelayMs: number
}

/** The wait after so many failures in a row, from 1 on. */
export function delayAfter({ initialDelayMs, maxDelayMs }: Backoff, failures: number): number {
  return Math.min(maxDelayMs, initialDelayMs * 2 ** (failures - 1))
}

export interface RetryOptions extends Backoff {
  readonly clock: Clock
  /** What fails after so long is not tried again. */
  readonly forMs: number
  /** Ends a wait; the try behind it is the last one. */
  readonly signal?: AbortSignal
}

/**
 * Tries until it succeeds. `again` is asked about each failure but a late one, and prepares the next try: true for one after
 * the next delay, a number for one after so many ms, false for none. Rejects with the last failure.
 */
export async function retry<T>(
  options: RetryOptions,
  attempt: () => Promise<T>,
  again: (error: unknown) => boolean | number | Promise<boolean | number>,
): Promise<T> {
  const { clock, forMs, signal } = options
  const untilMs = clock.monotonicMs() + forMs
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt()
    } catch (error) {
      const next = clock.monotonicMs() < untilMs && signal?.aborted !== true && (await again(error))
      if (next === false) throw error
      await sleep(clock, next === true ? delayAfter(options, failures) : next, signal)
    }
  }
}
