import type { Clock } from './clock.ts'

/**
 * The brake of one task. A full operator closes the gate and the epoch's source stops emitting before the next record;
 * it opens again when every operator that closed it has opened it. It never delays the end of an epoch.
 */
export interface Gate {
  /** True while any operator holds the gate closed; read once a record. */
  readonly closed: boolean
  /** Closes the gate on behalf of one operator. Returns the call that opens it again; that call is idempotent. */
  close(): () => void
}

/** The gate as the task sees it. */
export class TaskGate implements Gate {
  readonly #clock: Clock
  readonly #onOpen: () => void
  #holders = 0
  #closedAtMs = 0
  #closedMs = 0
  /** How often it has closed. */
  closures = 0
  closed = false

  /** `onOpen` is called synchronously when the last holder lets go. */
  constructor(clock: Clock, onOpen: () => void) {
    this.#clock = clock
    this.#onOpen = onOpen
  }

  /** ms it has been closed in all. */
  get closedMs(): number {
    return this.#closedMs + (this.closed ? this.#clock.monotonicMs() - this.#closedAtMs : 0)
  }

  close(): () => void {
    this.#holders += 1
    if (!this.closed) {
      this.closed = true
      this.closures += 1
      this.#closedAtMs = this.#clock.monotonicMs()
    }
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#holders -= 1
      if (this.#holders > 0) return
      this.closed = false
      this.#closedMs += this.#clock.monotonicMs() - this.#closedAtMs
      this.#onOpen()
    }
  }
}
