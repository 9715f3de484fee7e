/** A timer that can be cancelled. */
export interface Timer {
  cancel(): void
}

/** The one source of time. Nothing outside src/core/ports/clock.ts and src/testing reads the machine's clock. */
export interface Clock {
  /** ms since 1970. It is set now and then, forward and back, so no duration may be taken by it. */
  now(): number
  /**
   * Whole ms since some moment that stays the same while the process lives; it never goes back and nobody sets it. For
   * deadlines, ages, rates: whatever is a difference of two readings. It means nothing to another process.
   */
  monotonicMs(): number
  /** Calls back once, `delayMs` from now, never synchronously. */
  after(delayMs: number, callback: () => void): Timer
  /** Calls back once, as soon as the event loop has looked at timers and I/O. */
  soon(callback: () => void): void
  /** Of a clock for tests, which must know of waits that are not on it. Absent: this is the machine's clock. */
  readonly machineCalls?: MachineCalls
}

/** Calls of the job's own functions under a clock for tests. */
export interface MachineCalls {
  /** Runs a function, and sees whether what it returns waits for the machine. */
  run<T>(act: () => T): T
  /** A sentence for errors, with a space before it, while some call waits for the machine; else empty. */
  readonly hint: string
}

/** Beyond this setTimeout calls back at once. */
const longestTimerMs = 2 ** 31 - 1

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => Math.floor(performance.now()),
  after(delayMs, callback) {
    let handle = setTimeout(due, Math.min(delayMs, longestTimerMs))
    let leftMs = delayMs - longestTimerMs
    function due(): void {
      if (leftMs <= 0) {
        callback()
        return
      }
      handle = setTimeout(due, Math.min(leftMs, longestTimerMs))
      leftMs -= longestTimerMs
    }
    return {
      cancel: () => {
        clearTimeout(handle)
      },
    }
  },
  soon: (callback) => {
    setImmediate(callback)
  },
}

/** Resolves after `delayMs` on the given clock; resolves early, without an error, when the signal aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve()
      return
    }
    const wake = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const timer = clock.after(delayMs, wake)
    signal?.addEventListener('abort', wake, { once: true })
  })
}

/**
 * What the promise ends with; what `late` returns or throws when it has not ended within `delayMs`, or the signal aborts. Leaves
 * no timer behind, and what the promise does later is nobody's.
 */
export function within<T, Late>(
  clock: Clock,
  delayMs: number,
  promise: Promise<T>,
  late: () => Late,
  signal?: AbortSignal,
): Promise<T | Late> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(delayMs, giveUp)
    const end = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', giveUp)
    }
    function giveUp(): void {
      end()
      // In a promise of its own, because it may throw.
      resolve(Promise.resolve().then(late))
    }
    promise.finally(end).then(resolve, reject)
    if (signal?.aborted === true) giveUp()
    else signal?.addEventListener('abort', giveUp, { once: true })
  })
}

/** Resolves when the promise has settled, in whatever way, or `delayMs` have passed. Leaves no timer behind. */
export async function atMost(clock: Clock, delayMs: number, promise: Promise<unknown>): Promise<void> {
  const settled = promise.catch(() => undefined)
  await within(clock, delayMs, settled, () => undefined)
}
