import type { Clock, Timer } from '../../core/ports/clock.ts'
import { TidemarkError } from '../../core/errors.ts'

/** The checkpoint timeout: runs from an epoch's barrier to its commit. */
export class Deadline {
  readonly #expired: Promise<never>
  readonly #timer: Timer

  constructor(clock: Clock, timeoutMs: number) {
    let expire: (error: TidemarkError) => void = () => undefined
    this.#expired = new Promise((_resolve, reject) => {
      expire = reject
    })
    // Awaited only beside other promises.
    this.#expired.catch(() => undefined)
    this.#timer = clock.after(timeoutMs, () => {
      expire(
        new TidemarkError(
          'checkpoint-timeout',
          `The checkpoint was abandoned: it was not committed within checkpoint.timeout.ms (${String(timeoutMs)}) after its barrier`,
          { details: { timeoutMs } },
        ),
      )
    })
  }

  /** The promise's outcome, or `checkpoint-timeout`, whichever comes first. */
  limit<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#expired])
  }

  cancel(): void {
    this.#timer.cancel()
  }
}
