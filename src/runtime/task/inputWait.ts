import type { Clock } from '../../core/ports/clock.ts'
import type { TaskReader } from '../../core/ports/inputs.ts'

/** A task that has read nothing for so long looks whether its position has moved all the same. */
const idleMs = 30_000

/**
 * What a task finds when it waits for its input. `due`: an epoch without input has something to tick off, or what follows the
 * commits has failed. `idle`: there was nothing to read for a while.
 */
export type InputState = 'readable' | 'due' | 'idle' | 'over'

/** What follows the commits of a task, as far as it has a say in when the next epoch begins. */
export interface WaitedFollowers {
  readonly due: boolean
  readonly settled: boolean
  readonly full: boolean
  readonly failure: Error | null
}

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

  /**
   * `over`: every input stands at its end and all that follows is settled, or the task is stopped. Where there may be more
   * input, what is due waits until `dueAtMs`, by the monotonic clock, for an epoch that ticks it off in passing.
   */
  async next(reader: TaskReader, followers: WaitedFollowers, dueAtMs: number): Promise<InputState> {
    while (!this.#stopping.aborted) {
      if (followers.failure !== null) return 'due'
      if (reader.failure !== null) return 'readable' // the epoch turns it into its failure
      if (reader.done && followers.settled) return 'over'
      const leftMs = reader.done || followers.full ? 0 : dueAtMs - this.#clock.monotonicMs()
      if (followers.due && leftMs <= 0) return 'due'
      if (reader.readable && !followers.full) return 'readable'
      const how = await this.#woken(reader, followers.due ? Math.min(idleMs, leftMs) : idleMs)
      if (how === 'late' && !followers.due) return 'idle'
    }
    return 'over'
  }

  /** Looks again: something else than the reader has changed. */
  look(): void {
    this.#wake()
  }

  /** Resolves when there may be something, the task is stopped, or neither has come for a while. */
  #woken(reader: TaskReader, whileMs: number): Promise<'woken' | 'late'> {
    return new Promise((resolve) => {
      const stopping = this.#stopping
      const timer = this.#clock.after(whileMs, () => {
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
      if (this.#armed === reader || reader.readable || reader.done) return
      this.#armed = reader
      reader.whenReadable(() => {
        this.#armed = null
        this.#wake()
      })
    })
  }
}
