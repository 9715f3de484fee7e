import type { Clock, Timer } from '../core/ports/clock.ts'
import { Deadlines } from './deadlines.ts'
import { messageOf, TidemarkError } from '../core/errors.ts'
import type { LookupOutcome, LookupTurn } from '../core/ports/lookup.ts'
import { LookupBacklog } from './lookupBacklog.ts'
import { LookupRequest, type LookupEntry } from './lookupEntry.ts'
import type { LookupStatistics } from './lookupStatistics.ts'
import type { RateLimiter } from './rateLimiter.ts'
import type { StreamRecord } from '../core/record.ts'

/** How the client is asked, and whom the answers go to. */
export interface LookupRequestsSpec<V, R> {
  readonly system: string
  readonly ask: (record: StreamRecord<V>, turn?: LookupTurn) => Promise<LookupOutcome<R>>
  readonly askMany: ((values: readonly V[], turn?: LookupTurn) => Promise<readonly LookupOutcome<R>[]>) | null
  /** The client lets requests wait, and says when their turn has come. */
  readonly hasTurns: boolean
  /** How many of `waiting` records the next group takes while `free` read slots are free. */
  readonly groupSize: (waiting: number, free: number) => number
  readonly reads: number
  /** A group that was sent and has not answered for so long is split. */
  readonly splitAfterMs: number
  readonly clock: Clock
  readonly limiter: RateLimiter | null
  readonly statistics: LookupStatistics
  /** The next number on the queue's count of events. */
  readonly tick: () => number
  /** The request that a record is part of is sent. */
  readonly sent: (entry: LookupEntry<V, R>, now: number) => void
  /** A record waits for its turn: in the client, or to be asked for again. */
  readonly waits: (entry: LookupEntry<V, R>, now: number) => void
  /** What the request that a record is part of said of it. */
  readonly outcome: (entry: LookupEntry<V, R>, outcome: LookupOutcome<R>, now: number) => void
  /** The system has answered a request that was sent at `sentAt` on the count of events. */
  readonly alive: (sentAt: number) => void
  readonly failed: (error: unknown) => void
}

/**
 * Which records are asked for when, and in which request: never more than `reads` in flight, within the rate limit, in
 * groups of what waits. While a slot is free a request leaves in the next microtask.
 *
 * A loop without recursion: requests are sent from a microtask, a timer or the end of an answer, never from an emission.
 */
export class LookupRequests<V, R> {
  readonly #spec: LookupRequestsSpec<V, R>
  readonly #backlog = new LookupBacklog<V, R>()
  readonly #splits: Deadlines<LookupRequest<V, R>>
  readonly #turns: Turns<LookupRequest<V, R>> = {
    wanted: (request) => request.holdsSlot && !this.#closed,
    begins: (request) => {
      const { clock, tick } = this.#spec
      if (request.entries.length === 1) request.sentAt = tick()
      this.#begin(request, clock.monotonicMs())
    },
    waits: (request) => {
      request.begun = false
      this.#splits.remove(request)
      const now = this.#spec.clock.monotonicMs()
      for (const entry of request.entries) if (entry.request === request) this.#spec.waits(entry, now)
    },
  }
  #inFlight = 0
  #scheduled = false
  #tokenTimer: Timer | null = null
  #closed = false

  constructor(spec: LookupRequestsSpec<V, R>) {
    this.#spec = spec
    this.#splits = new Deadlines(spec.clock, spec.splitAfterMs, (request) => {
      this.#split(request)
    })
  }

  add(entry: LookupEntry<V, R>): void {
    this.#backlog.add(entry)
    this.#schedule()
  }

  /** A record that has been asked for before. */
  addAgain(entry: LookupEntry<V, R>): void {
    entry.alone = true
    entry.move('waiting')
    this.#spec.waits(entry, this.#spec.clock.monotonicMs())
    this.#backlog.addAgain(entry)
    this.#schedule()
  }

  /** The record no longer waits for its request. Without anybody waiting for it, a request gives its slot back. */
  detach(entry: LookupEntry<V, R>): void {
    const { request } = entry
    if (request === null) return
    entry.request = null
    request.open -= 1
    if (request.open > 0 || !request.holdsSlot) return
    this.#splits.remove(request)
    this.#freeSlot(request)
    this.#spec.statistics.abandoned += 1
    this.#schedule()
  }

  /** Cancels the timers; answers that still come are ignored. */
  close(): void {
    this.#closed = true
    this.#splits.close()
    this.#tokenTimer?.cancel()
    this.#spec.statistics.inFlight -= this.#inFlight
    this.#spec.statistics.abandoned += this.#inFlight
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= this.#spec.reads) return
    this.#scheduled = true
    queueMicrotask(this.#sendScheduled)
  }

  readonly #sendScheduled = (): void => {
    this.#scheduled = false
    this.#send()
  }

  /** Sends while a read slot and a token are free and something waits. */
  #send(): void {
    if (this.#closed) return
    const { reads, clock, limiter, groupSize } = this.#spec
    const now = clock.monotonicMs()
    let tokens = limiter === null ? Infinity : limiter.available(now)
    while (this.#inFlight < reads) {
      const again = this.#backlog.again()
      const { fresh } = this.#backlog
      if (again === undefined && fresh === 0) return
      if (tokens < 1) {
        this.#waitForToken()
        return
      }
      const size = again === undefined ? Math.min(groupSize(fresh, reads - this.#inFlight), tokens) : 1
      limiter?.spend(size)
      tokens -= size
      if (again === undefined) this.#ask(this.#backlog.takeFresh(size), now)
      else {
        this.#backlog.takeAgain()
        this.#ask([again], now)
      }
    }
  }

  #waitForToken(): void {
    const { clock, limiter } = this.#spec
    if (limiter === null || this.#tokenTimer !== null) return
    this.#tokenTimer = clock.after(limiter.nextInMs(), () => {
      this.#tokenTimer = null
      this.#send()
    })
  }

  #ask(entries: readonly LookupEntry<V, R>[], now: number): void {
    const { statistics, hasTurns, waits, tick } = this.#spec
    const request = new LookupRequest(entries, now, tick())
    for (const entry of entries) {
      entry.move('asked')
      entry.request = request
      entry.attempts += 1
      if (hasTurns) waits(entry, now)
    }
    this.#inFlight += 1
    statistics.inFlight += 1
    statistics.requests += 1
    statistics.lookups += entries.length
    if (!hasTurns) this.#begin(request, now)
    try {
      this.#call(request)
    } catch (error) {
      // From a microtask, like every other answer: nothing is emitted while requests are being sent.
      queueMicrotask(() => {
        this.#endedWith(request, error)
      })
    }
  }

  #call(request: LookupRequest<V, R>): void {
    const { entries } = request
    const { ask, askMany, hasTurns } = this.#spec
    const turn = hasTurns ? new Turn(request, this.#turns) : undefined
    const [first] = entries
    const failed = (error: unknown): void => {
      this.#endedWith(request, error)
    }
    if (first !== undefined && (entries.length === 1 || askMany === null)) {
      ask(first.record, turn).then((outcome) => {
        this.#ended(request, [outcome])
      }, failed)
    } else {
      const values = entries.map((entry) => entry.record.value)
      askMany?.(values, turn).then((outcomes) => {
        this.#ended(request, outcomes)
      }, failed)
    }
  }

  #begin(request: LookupRequest<V, R>, now: number): void {
    const { sent } = this.#spec
    request.begun = true
    request.sentMs = now
    if (request.entries.length > 1) this.#splits.add(request, now)
    for (const entry of request.entries) if (entry.request === request) sent(entry, now)
  }

  /** A client that rejects or throws, against its contract, or the job's own lookup function. */
  #endedWith(request: LookupRequest<V, R>, thrown: unknown): void {
    const outcome: LookupOutcome<R> = { kind: 'error', error: asLookupError(thrown) }
    const outcomes = request.entries.map(() => outcome)
    this.#ended(request, outcomes)
  }

  #ended(request: LookupRequest<V, R>, outcomes: readonly LookupOutcome<R>[]): void {
    const { statistics, clock, system, failed } = this.#spec
    if (this.#closed || !request.holdsSlot) statistics.abandoned -= 1
    if (this.#closed) return
    const now = clock.monotonicMs()
    if (request.begun) statistics.latency.add(now - request.sentMs)
    this.#splits.remove(request)
    this.#freeSlot(request)
    if (outcomes.length === request.entries.length) {
      try {
        this.#spread(request, outcomes, now)
      } catch (error) {
        // Only a broken invariant comes here; as a rejected promise it would not be the pipeline's.
        failed(error)
      }
    } else {
      const counts = `${String(outcomes.length)} outcomes for ${String(request.entries.length)} requests`
      failed(new TidemarkError('broken-invariant', `asyncLookup: the client of ${system} gave ${counts}`))
    }
    this.#send()
  }

  #spread(request: LookupRequest<V, R>, outcomes: readonly LookupOutcome<R>[], now: number): void {
    let alive = false
    for (let index = 0; index < outcomes.length; index += 1) {
      const entry = request.entries[index]
      const outcome = outcomes[index]
      if (entry === undefined || outcome === undefined) continue
      if (outcome.kind !== 'error') alive = true
      // What the record is no longer part of speaks too late.
      if (entry.request !== request) continue
      entry.request = null
      this.#spec.outcome(entry, outcome, now)
      if (this.#closed) return
    }
    if (alive) this.#spec.alive(request.sentAt)
  }

  /**
   * A group has not answered in time. One slow row must not fail its neighbours, so each record is asked for by itself in
   * what is left of the timeout. That is no try of its own.
   */
  #split(request: LookupRequest<V, R>): void {
    for (const entry of request.entries) {
      if (entry.request !== request) continue
      this.detach(entry)
      entry.attempts -= 1
      this.addAgain(entry)
    }
  }

  #freeSlot(request: LookupRequest<V, R>): void {
    if (!request.holdsSlot) return
    request.holdsSlot = false
    this.#inFlight -= 1
    this.#spec.statistics.inFlight -= 1
  }
}

/** What the turns of all requests have in common. */
interface Turns<Request> {
  wanted(request: Request): boolean
  begins(request: Request): void
  waits(request: Request): void
}

/** A request's turn, as its client sees it. One is made for each request, so it holds nothing of its own. */
class Turn<Request extends { readonly begun: boolean }> implements LookupTurn {
  readonly #request: Request
  readonly #turns: Turns<Request>

  constructor(request: Request, turns: Turns<Request>) {
    this.#request = request
    this.#turns = turns
  }

  get wanted(): boolean {
    return this.#turns.wanted(this.#request)
  }

  begins(): void {
    if (!this.#request.begun && this.wanted) this.#turns.begins(this.#request)
  }

  waits(): void {
    if (this.#request.begun && this.wanted) this.#turns.waits(this.#request)
  }
}

function asLookupError(thrown: unknown): TidemarkError {
  if (thrown instanceof TidemarkError) return thrown
  const retriable = thrown instanceof Error && 'retriable' in thrown && thrown.retriable === true
  return new TidemarkError('lookup-failed', messageOf(thrown), { retriable, cause: thrown })
}
