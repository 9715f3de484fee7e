/**
 * Outages that tasks of this process are waiting for. While there is one, no other task opens an epoch: all run the same
 * pipeline, and what they would look up now could only time out as well.
 */
export class Outages {
  #under = 0
  readonly #waiting: (() => void)[] = []

  /** Notes an outage; the returned call notes its end. */
  begin(): () => void {
    this.#under += 1
    return () => {
      this.#under -= 1
      if (this.#under > 0) return
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  /** Resolves when there is none, or the signal aborts. */
  async over(signal: AbortSignal): Promise<void> {
    while (this.#under > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake)
          resolve()
        }
        signal.addEventListener('abort', wake, { once: true })
        this.#waiting.push(wake)
      })
    }
  }
}
