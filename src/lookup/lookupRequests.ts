import type { Timer } from '../core/ports/clock.ts'
import { Deadlines } from './deadlines.ts'
import { TidemarkError } from '../core/errors.ts'
import { Fifo } from '../core/fifo.ts'
import type { LookupClient, LookupOutcome, LookupTurn } from '../core/ports/lookup.ts'
import { LookupRequest, type LookupEntry } from './lookupEntry.ts'
import { lookupError } from './lookupErrors.ts'
import type { LookupPolicy } from './lookupPolicy.ts'
import type { LookupStatistics } from './lookupStatistics.ts'
import type { StreamRecord } from '../core/record.ts'

/** What is read with: any `LookupClient`. It is told the record as well, which a lookup function is given. */
export interface RecordLookup<V, R> extends Omit<LookupClient<V, R>, 'lookup'> {
  lookup(value: V, turn: LookupTurn | undefined, record: StreamRecord<V>): Promise<LookupOutcome<R>>
}

/** Whom the answers go to. */
export interface RequestEvents<V, R> {
  readonly statistics: LookupStatistics
  /** The next number on the engine's count of events. */
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

const defaultMaxGroup = 1_000

/**
 * Which records are asked for when, and in which request: never more than `reads` in flight, within the rate limit, in
 * groups of what waits; what is asked for again goes before what is new, one by one. While a slot is free a request leaves
 * in the next microtask.
 *
 * A loop without recursion: requests are sent from a microtask, a timer or the end of an answer, never from an emission.
 */
export class LookupRequests<V, R> {
  readonly #client: RecordLookup<V, R>
  readonly #policy: LookupPolicy
  readonly #events: RequestEvents<V, R>
  readonly #maxGroup: number
  readonly #fresh = new Fifo<LookupEntry<V, R>>()
  /** What has been given up meanwhile is skipped. */
  readonly #again = new Fifo<LookupEntry<V, R>>()
  readonly #splits: Deadlines<LookupRequest<V, R>>
  #inFlight = 0
  #scheduled = false
  #tokenTimer: Timer | null = null
  #closed = false

  constructor(client: RecordLookup<V, R>, policy: LookupPolicy, events: RequestEvents<V, R>) {
    this.#client = client
    this.#policy = policy
    this.#events = events
    this.#maxGroup = client.lookupMany === undefined ? 1 : (client.maxGroup ?? defaultMaxGroup)
    this.#splits = new Deadlines(policy.clock, Math.ceil(policy.timeoutMs / 2), (request) => {
      this.#split(request)
    })
  }

  add(entry: LookupEntry<V, R>): void {
    this.#fresh.push(entry)
    this.#schedule()
  }

  /** A record that has been asked for before. */
  addAgain(entry: LookupEntry<V, R>): void {
    entry.alone = true
    entry.move('waiting')
    this.#events.waits(entry, this.#policy.clock.monotonicMs())
    this.#again.push(entry)
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
    this.#events.statistics.abandoned += 1
    this.#schedule()
  }

  /** Cancels the timers; answers that still come are ignored. */
  close(): void {
    const { statistics } = this.#events
    this.#closed = true
    this.#splits.close()
    this.#tokenTimer?.cancel()
    statistics.inFlight -= this.#inFlight
    statistics.abandoned += this.#inFlight
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= this.#policy.reads) return
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
    const { reads, clock, limiter, groupSize } = this.#policy
    const now = clock.monotonicMs()
    let tokens = limiter === null ? Infinity : limiter.available(now)
    while (this.#inFlight < reads) {
      const again = this.#nextAgain()
      const fresh = this.#fresh.length
      if (again === undefined && fresh === 0) return
      if (tokens < 1) {
        this.#waitForToken()
        return
      }
      const size =
        again === undefined ? Math.min(groupSize(fresh, reads - this.#inFlight), this.#maxGroup, fresh, tokens) : 1
      limiter?.spend(size)
      tokens -= size
      if (again === undefined) this.#ask(this.#takeFresh(size), now)
      else {
        this.#again.shift()
        this.#ask([again], now)
      }
    }
  }

  #nextAgain(): LookupEntry<V, R> | undefined {
    for (let entry = this.#again.peek(); entry !== undefined; entry = this.#again.peek()) {
      if (entry.state === 'waiting') return entry
      this.#again.shift()
    }
    return undefined
  }

  #takeFresh(size: number): LookupEntry<V, R>[] {
    const entries: LookupEntry<V, R>[] = []
    for (let entry = this.#fresh.shift(); entry !== undefined; entry = this.#fresh.shift()) {
      entries.push(entry)
      if (entries.length >= size) break
    }
    return entries
  }

  #waitForToken(): void {
    const { clock, limiter } = this.#policy
    if (limiter === null || this.#tokenTimer !== null) return
    this.#tokenTimer = clock.after(limiter.nextInMs(), () => {
      this.#tokenTimer = null
      this.#send()
    })
  }

  #ask(entries: readonly LookupEntry<V, R>[], now: number): void {
    const { statistics } = this.#events
    const hasTurns = this.#client.hasTurns === true
    const request = new LookupRequest(entries, now, this.#events.tick())
    for (const entry of entries) {
      entry.move('asked')
      entry.request = request
      entry.attempts += 1
      if (hasTurns) this.#events.waits(entry, now)
    }
    this.#inFlight += 1
    statistics.inFlight += 1
    statistics.requests += 1
    statistics.lookups += entries.length
    if (!hasTurns) this.#begin(request, now)
    try {
      this.#call(request, hasTurns ? this.#turnOf(request) : undefined)
    } catch (error) {
      // From a microtask, like every other answer: nothing is emitted while requests are being sent.
      queueMicrotask(() => {
        this.#endedWith(request, error)
      })
    }
  }

  #call(request: LookupRequest<V, R>, turn: LookupTurn | undefined): void {
    const { entries } = request
    const [first] = entries
    const failed = (error: unknown): void => {
      this.#endedWith(request, error)
    }
    if (first !== undefined && entries.length === 1) {
      this.#client.lookup(first.record.value, turn, first.record).then((outcome) => {
        this.#ended(request, [outcome])
      }, failed)
    } else {
      const values = entries.map((entry) => entry.record.value)
      this.#client.lookupMany?.(values, turn).then((outcomes) => {
        this.#ended(request, outcomes)
      }, failed)
    }
  }

  /** A request's way through a bound of the client's own, as the client sees it. */
  #turnOf(request: LookupRequest<V, R>): LookupTurn {
    const isWanted = (): boolean => request.holdsSlot && !this.#closed
    return {
      get wanted() {
        return isWanted()
      },
      begins: () => {
        if (request.begun || !isWanted()) return
        if (request.entries.length === 1) request.sentAt = this.#events.tick()
        this.#begin(request, this.#policy.clock.monotonicMs())
      },
      waits: () => {
        if (!request.begun || !isWanted()) return
        request.begun = false
        this.#splits.remove(request)
        const now = this.#policy.clock.monotonicMs()
        for (const entry of request.entries) if (entry.request === request) this.#events.waits(entry, now)
      },
    }
  }

  #begin(request: LookupRequest<V, R>, now: number): void {
    request.begun = true
    request.sentMs = now
    if (request.entries.length > 1) this.#splits.add(request, now)
    for (const entry of request.entries) if (entry.request === request) this.#events.sent(entry, now)
  }

  #endedWith(request: LookupRequest<V, R>, thrown: unknown): void {
    const outcome: LookupOutcome<R> = { kind: 'error', error: lookupError(thrown) }
    const outcomes = request.entries.map(() => outcome)
    this.#ended(request, outcomes)
  }

  #ended(request: LookupRequest<V, R>, outcomes: readonly LookupOutcome<R>[]): void {
    const { statistics, failed } = this.#events
    if (this.#closed || !request.holdsSlot) statistics.abandoned -= 1
    if (this.#closed) return
    const now = this.#policy.clock.monotonicMs()
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
      failed(new TidemarkError('broken-invariant', `asyncLookup: the client of ${this.#client.name} gave ${counts}`))
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
      this.#events.outcome(entry, outcome, now)
      if (this.#closed) return
    }
    if (alive) this.#events.alive(request.sentAt)
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
    this.#events.statistics.inFlight -= 1
  }
}
