import type { Clock } from '../../../core/ports/clock.ts'

/** Acts that are done one after the other; between two of them the event loop looks at everything else. */
export class Turns {
  readonly #clock: Clock
  #last: Promise<void> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Does an act when those before it are done. */
  async take<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#last
    const done = Promise.withResolvers<void>()
    this.#last = done.promise
    await before
    try {
      return await act()
    } finally {
      this.#clock.soon(done.resolve)
    }
  }
}
