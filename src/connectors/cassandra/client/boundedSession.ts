import { TidemarkError } from '../../../core/errors.ts'
import { Fifo } from '../../../core/fifo.ts'
import type { LookupTurn } from '../../../core/ports/lookup.ts'
import type { CqlRequest, CqlResponse, CqlSession } from './cqlSession.ts'

/** What a request ends with that nobody waited for any more when its turn came. */
export const notSent = new TidemarkError(
  'system-unreachable',
  'The lookup was given up while it waited for its turn; nothing was sent to Cassandra.',
  { retriable: true, details: { system: 'cassandra' } },
)

/** A session whose requests wait for a free slot. */
export class BoundedSession implements Pick<CqlSession, 'execute'> {
  readonly #session: CqlSession
  readonly #slots: RequestSlots

  constructor(session: CqlSession, slots: RequestSlots) {
    this.#session = session
    this.#slots = slots
  }

  /** @param parts of the lookup that the request belongs to; absent: of none in particular. Rejects also with `notSent`. */
  async execute(request: CqlRequest, parts?: LookupParts): Promise<CqlResponse> {
    const slots = this.#slots
    if (!slots.tryTake()) {
      parts?.waits()
      if (!(await slots.take(() => parts?.wanted ?? true))) throw notSent
      parts?.begins()
    }
    try {
      return await this.#session.execute(request)
    } finally {
      slots.free()
    }
  }
}

interface Waiting {
  isWanted(): boolean
  settle(isTaken: boolean): void
}

/**
 * At most so many requests under way in one process; the driver has no bound of its own but a refusal. What waits does so
 * without a limit of time, because that is nobody's fault, and is dropped when its turn comes if nobody waits for it any
 * more: what an epoch that was given up has left behind does not delay the next one.
 *
 * Whoever has taken a slot must give it back: the driver ends each request, answered or not, by its own timeout.
 */
export class RequestSlots {
  readonly #limit: number
  readonly #waiting = new Fifo<Waiting>()
  #inFlight = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Takes a slot if one is free. */
  tryTake(): boolean {
    if (this.#inFlight >= this.#limit) return false
    this.#inFlight += 1
    return true
  }

  /** Waits for its turn. True: it has a slot; false: it was not wanted any more. */
  take(isWanted: () => boolean): Promise<boolean> {
    return new Promise((settle) => {
      this.#waiting.push({ isWanted, settle })
    })
  }

  /** Gives a slot back; called once for each one taken. */
  free(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const isWanted = next.isWanted()
      next.settle(isWanted)
      // The slot changes hands.
      if (isWanted) return
    }
    this.#inFlight -= 1
  }
}

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
