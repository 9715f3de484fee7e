import type { LookupTurn } from '../../../core/ports/lookup.ts'

/**
 * The requests to Cassandra that one lookup comes down to, while they wait for slots. The turn of the lookup has come when
 * none of them waits any more. Whoever makes them counts as one that waits until it calls `begins`, so that a group does
 * not begin with the first.
 */
export class LookupParts {
  readonly #turn: LookupTurn | undefined
  #waiting = 1

  /** @param turn absent: whoever has asked waits for the answer. */
  constructor(turn: LookupTurn | undefined) {
    this.#turn = turn
  }

  get wanted(): boolean {
    return this.#turn?.wanted ?? true
  }

  waits(): void {
    this.#waiting += 1
    if (this.#waiting === 1) this.#turn?.waits()
  }

  begins(): void {
    this.#waiting -= 1
    if (this.#waiting === 0) this.#turn?.begins()
  }
}
