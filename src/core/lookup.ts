import type { TidemarkError } from './errors.ts'

/** What a lookup of one request ended with. A transient failure is never a miss. */
export type LookupOutcome<Result> =
  | { readonly kind: 'hit'; readonly result: Result }
  | { readonly kind: 'miss' }
  | { readonly kind: 'error'; readonly error: TidemarkError }

/**
 * A client that `asyncLookup` reads with. One per process, shared by all tasks; opened once, closed once.
 *
 * An error with `retriable: false` concerns its request alone (unknown table, wrong type) and is final. A `retriable` one
 * (timeout, overload, lost connection) says nothing about the row: it is retried, then held until the system is seen to
 * answer again.
 */
export interface LookupClient<Request, Result> {
  /** Names the system in errors and metrics: `cassandra`, `embedded tables`. */
  readonly name: string
  /** Reads one. Resolves, never rejects. */
  lookup(request: Request): Promise<LookupOutcome<Result>>
  /** Reads a group in one go; outcomes in the order of the requests. Equal keys may be read once. */
  lookupMany?(requests: readonly Request[]): Promise<readonly LookupOutcome<Result>[]>
  /** Largest group `lookupMany` takes; default 1,000. */
  readonly maxGroup?: number
  /** Resolves when the system answers at all. Absent: there is no telling, so failures are never held. */
  probe?(): Promise<void>
}
