import type { TidemarkError } from '../errors.ts'

/** What a lookup of one request ended with. A transient failure is never a miss. */
export type LookupOutcome<Result> =
  | { readonly kind: 'hit'; readonly result: Result }
  | { readonly kind: 'miss' }
  | {
      readonly kind: 'error'
      readonly error: TidemarkError
      /** The system itself says that it cannot answer now: never the record's fault, whatever else it answers. */
      readonly unavailable?: boolean
    }

/**
 * The way of one request, single or group, through a bound of the client's own. To wait there is not the record's fault:
 * its timeout, the split of a group and the latency that is measured run from `begins` on.
 */
export interface LookupTurn {
  /** False: nobody waits for the answer any more, so what is not sent yet is not to be sent. */
  readonly wanted: boolean
  /** To be called when the last of what the request comes down to is about to be sent. */
  begins(): void
  /** To be called after that when some of it waits for its turn again, as when it has to be read anew. */
  waits(): void
}

/**
 * A client that `asyncLookup` reads with. One per process, shared by all tasks; opened once, closed once.
 *
 * An error with `retriable: false` concerns its request alone (unknown table, wrong type) and is final. A `retriable` one
 * says nothing about the row. It is retried, then held until the system is seen to answer again, and is then the record's
 * fault, as a timeout may be. With `unavailable` (replicas down, overload, no connection) it is the system's: no try is used
 * up, and where that does not end it is an outage.
 */
export interface LookupClient<Request, Result> {
  /** Names the system in errors and metrics: `cassandra`, `embedded tables`. */
  readonly name: string
  /** Reads one. Resolves, never rejects. */
  readonly lookup: (request: Request, turn?: LookupTurn) => Promise<LookupOutcome<Result>>
  /** Reads a group in one go; outcomes in the order of the requests. Equal keys may be read once. */
  readonly lookupMany?: (requests: readonly Request[], turn?: LookupTurn) => Promise<readonly LookupOutcome<Result>[]>
  /** Largest group `lookupMany` takes; default 1,000. */
  readonly maxGroup?: number
  /**
   * True: requests may wait for a bound of the client's own, and it keeps to their `LookupTurn`. It must end what it has
   * sent by a timeout of its own, or a request that is never answered keeps all others waiting. Default false: what is
   * asked for is sent.
   */
  readonly hasTurns?: boolean
  /** When the client itself ends a request. From the lookup's timeout on, nothing can be tried again: that is warned of. */
  readonly requestTimeoutMs?: number
  /**
   * Resolves when the system answers: what it could not answer lately, where the client knows that. Absent: there is no
   * telling, so failures are never held.
   */
  probe?(): Promise<void>
}
