import { TidemarkError } from './errors.ts'

/** Where the transaction of an epoch attempt stands. `ended`: given up, or refused. */
export type TransactionPhase = 'open' | 'prepared' | 'committing' | 'committed' | 'ended'

/** Which phase may follow which. */
const transitions: Readonly<Record<TransactionPhase, readonly TransactionPhase[]>> = {
  open: ['prepared', 'ended'],
  prepared: ['committing', 'ended'],
  committing: ['committed', 'ended'],
  committed: [],
  ended: [],
}

/** The phases of one transaction: whoever acts on it says first which phase that begins, or needs. */
export class TransactionPhases {
  #current: TransactionPhase = 'open'

  get current(): TransactionPhase {
    return this.#current
  }

  /** Committed, or ended otherwise. */
  get over(): boolean {
    return transitions[this.#current].length === 0
  }

  /** @throws TidemarkError `broken-invariant` where the phase may not follow the current one. */
  enter(phase: TransactionPhase): void {
    if (!transitions[this.#current].includes(phase)) throw this.#illegal(`be ${phase}`)
    this.#current = phase
  }

  /** @throws TidemarkError `broken-invariant` unless records may be sent: what is prepared takes no more. */
  assertOpen(): void {
    if (this.#current !== 'open') throw this.#illegal('send a record')
  }

  /** Gives the transaction up, whatever it is doing; returns what that was. One that is over stays what it is. */
  giveUp(): TransactionPhase {
    const before = this.#current
    if (transitions[before].includes('ended')) this.#current = 'ended'
    return before
  }

  #illegal(what: string): TidemarkError {
    return new TidemarkError('broken-invariant', `A transaction that is ${this.#current} cannot ${what}`)
  }
}
