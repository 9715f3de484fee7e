import type { Timer } from '../core/ports/clock.ts'
import { TidemarkError } from '../core/errors.ts'
import type { StreamRecord } from '../core/record.ts'
import type { Timed } from './deadlines.ts'

/**
 * Where a record stands inside `asyncLookup`:
 * - `waiting`: for a read slot
 * - `asked`: in a request that is in flight
 * - `resting`: between two tries
 * - `held`: failed by timeout or out of tries; whether that is the record's fault shows when the system answers again. Where
 *   it does not show, it is asked for once more
 * - `answered`: hit or miss, to be passed on
 * - `refused`: bad, to become a dead letter or fail the epoch
 * - `left`: out, for good
 */
export type LookupState = 'waiting' | 'asked' | 'resting' | 'held' | 'answered' | 'refused' | 'left'

/** Every legal step. That `left` is entered once, and only from two states, is why a record leaves exactly once. */
export const lookupTransitions: Readonly<Record<LookupState, readonly LookupState[]>> = {
  waiting: ['asked', 'held', 'refused'],
  asked: ['answered', 'refused', 'resting', 'held', 'waiting'],
  resting: ['waiting', 'held', 'refused'],
  held: ['refused', 'waiting'],
  answered: ['left'],
  refused: ['left'],
  left: [],
}

/** One record inside `asyncLookup`. */
export class LookupEntry<V, R> implements Timed<LookupEntry<V, R>> {
  readonly record: StreamRecord<V>
  /** Bytes it counts for while more than `capacity` records are inside; 0: entered below that. */
  readonly overflowBytes: number
  state: LookupState = 'waiting'
  /** Requests it was part of, except a group that was split. */
  attempts = 0
  /** The request it is part of while `asked`: what another request says about it comes late. */
  request: LookupRequest<V, R> | null = null
  /** Tries in a row that the system could not answer, as it said itself, and what it said last. */
  refusals = 0
  refusal: TidemarkError | null = null
  /** Set by a failure: it is asked for by itself from then on, so that no neighbour can fail it again. */
  alone = false
  rest: Timer | null = null
  /** The row, once `answered`; null: a miss. */
  row: R | null = null
  /** Why it is `held` or `refused`. */
  error: TidemarkError | null = null
  /** When it became `held`, or `watched`, on the engine's own count of events. */
  heldAt = 0
  /** It is asked for once more, beside a probe that tells whether the system answers at all: since when, on that count. */
  checkedAt: number | null = null
  /** That probe was answered: a failure of this request is the record's own. */
  blamed = false
  /** Whether its timeout runs: from the sending of a request until it has to wait for its turn again. */
  running = false
  /** What is left of its timeout while that does not run. */
  leftMs = Infinity
  /** It waits for its turn so long that the system is asked whether it answers at all. */
  watched = false
  dueAt = 0
  earlier: LookupEntry<V, R> | null = null
  later: LookupEntry<V, R> | null = null

  constructor(record: StreamRecord<V>, overflowBytes: number) {
    this.record = record
    this.overflowBytes = overflowBytes
  }

  move(to: LookupState): void {
    if (!lookupTransitions[this.state].includes(to)) {
      throw new TidemarkError('broken-invariant', `asyncLookup: a record cannot go from ${this.state} to ${to}`)
    }
    this.state = to
  }

  /** True when it may leave. */
  get settled(): boolean {
    return this.state === 'answered' || this.state === 'refused'
  }
}

/** One request in flight: of one record, or of a group. */
export class LookupRequest<V, R> implements Timed<LookupRequest<V, R>> {
  readonly entries: readonly LookupEntry<V, R>[]
  /** When the last of it was sent. */
  sentMs: number
  /** When it was sent, on the engine's count of events; of a group that had to wait, when it was asked for. */
  sentAt: number
  /** False while some of it waits in the client. */
  begun = false
  /** Entries that still wait for it. */
  open: number
  /** False once its read slot is given back: it has ended, or nobody waits for it any more. */
  holdsSlot = true
  dueAt = 0
  earlier: LookupRequest<V, R> | null = null
  later: LookupRequest<V, R> | null = null

  constructor(entries: readonly LookupEntry<V, R>[], sentMs: number, sentAt: number) {
    this.entries = entries
    this.sentMs = sentMs
    this.sentAt = sentAt
    this.open = entries.length
  }
}
