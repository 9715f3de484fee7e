import type { Clock } from '../../core/ports/clock.ts'
import type { TaskReader } from '../../core/ports/inputs.ts'

/** A task that has read nothing for so long looks whether its position has moved all the same. */
const idleMs = 30_000

/** What a task finds when it waits for its input. `idle`: there was nothing to read for a while. */
export type InputState = 'readable' | 'idle' | 'over'

/** A task's wait for records between two epochs: an idle task opens no epoch. */
export class InputWait {
  readonly #clock: Clock
  readonly #stopping: AbortSignal
  /** The reader that will call back when it has something. */
  #armed: TaskReader | null = null
  #wake: () => void = () => undefined

  constructor(clock: Clock, stopping: AbortSignal) {
    this.#clock = clock
    this.#stopping = stopping
  }

  /** `over`: every input stands at its end, or the task is stopped. */
  async next(reader: TaskReader): Promise<InputState> {
    while (!this.#stopping.aborted) {
      if (reader.failure !== null) return 'readable' // the epoch turns it into its failure
      if (reader.done) return 'over'
      if (reader.readable) return 'readable'
      if ((await this.#woken(reader)) === 'late') return 'idle'
    }
    return 'over'
  }

  /** Resolves when the reader may have something, the task is stopped, or neither has come for a while. */
  #woken(reader: TaskReader): Promise<'woken' | 'late'> {
    return new Promise((resolve) => {
      const stopping = this.#stopping
      const timer = this.#clock.after(idleMs, () => {
        end('late')
      })
      const wake = (): void => {
        end('woken')
      }
      function end(how: 'woken' | 'late'): void {
        timer.cancel()
        stopping.removeEventListener('abort', wake)
        resolve(how)
      }
      stopping.addEventListener('abort', wake, { once: true })
      this.#wake = wake
      // One call is enough for a reader, however often the wait for it begins anew.
      if (this.#armed === reader) return
      this.#armed = reader
      reader.whenReadable(() => {
        this.#armed = null
        this.#wake()
      })
    })
  }
}
