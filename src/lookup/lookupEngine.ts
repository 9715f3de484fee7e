import { Deadlines } from './deadlines.ts'
import type { TidemarkError } from '../core/errors.ts'
import type { LookupOutcome } from '../core/ports/lookup.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { LookupEntry } from './lookupEntry.ts'
import { lookupFailed, lookupOutage, lookupTimeout } from './lookupErrors.ts'
import { backoffMs, type LookupPolicy } from './lookupPolicy.ts'
import { LookupRequests, type RecordLookup } from './lookupRequests.ts'
import type { LookupStatistics } from './lookupStatistics.ts'

/** What the engine reports of one attempt. */
export interface LookupEvents<V, R> {
  /** Counts what is asked, answered, refused, and found out. */
  readonly statistics: LookupStatistics
  /** The system is seen not to answer, or answers again. */
  readonly silent: (isSilent: boolean) => void
  /** A record is answered or refused; called once a record, and never from `add`. */
  readonly settled: (entry: LookupEntry<V, R>) => void
  /** An outage, a guard, a mistake: the attempt is over. */
  readonly failed: (error: unknown) => void
}

/** How long one probe is waited for before the next is sent beside it, at most; a fifth of the timeout if that is less. */
const longestPatienceMs = 1_000

/**
 * What becomes of each record of one attempt: answered, tried again, timed out, held, refused; `lookupTransitions` has every
 * step. It knows nothing of order, gates or pipelines; the requests themselves are sent by `LookupRequests`.
 *
 * A record whose lookup failed while it is not known whether it is the record's fault or the system's is held, and let go by
 * the first answer to anything that was sent after that; while there is no such answer, probes are sent. So is one that waits
 * for its turn so long that the system may be at fault. A client without a probe cannot tell, so nothing is held.
 */
export class LookupEngine<V, R> {
  readonly #client: RecordLookup<V, R>
  readonly #policy: LookupPolicy
  readonly #events: LookupEvents<V, R>
  readonly #requests: LookupRequests<V, R>
  readonly #timeouts: Deadlines<LookupEntry<V, R>>
  readonly #held: Deadlines<LookupEntry<V, R>>
  readonly #resting = new Set<LookupEntry<V, R>>()
  readonly #patienceMs: number
  #patience: Timer | null = null
  /** Records whose last try the system could not answer. */
  #refusing = 0
  /** Counts requests, probes and failures, so that "sent after that failure" does not depend on a clock's resolution. */
  #ticks = 0
  #closed = false

  constructor(client: RecordLookup<V, R>, policy: LookupPolicy, events: LookupEvents<V, R>) {
    const { clock, timeoutMs } = policy
    this.#client = client
    this.#policy = policy
    this.#events = events
    this.#patienceMs = Math.max(1, Math.min(longestPatienceMs, Math.floor(timeoutMs / 5)))
    this.#timeouts = new Deadlines(clock, timeoutMs, (entry) => {
      if (!entry.running) this.#watch(entry)
      else if (entry.refusal !== null) this.#outage(entry.refusal, entry.refusal)
      else this.#timedOut(entry)
    })
    this.#held = new Deadlines(clock, timeoutMs, (entry) => {
      this.#outage(null, entry.error)
    })
    this.#requests = new LookupRequests(client, policy, {
      statistics: events.statistics,
      tick: () => this.#tick(),
      sent: (entry, now) => {
        this.#unlist(entry)
        if (entry.checkedAt !== null) this.#probeBeside(entry)
        this.#timeouts.add(entry, now, entry.leftMs)
        entry.running = true
      },
      // To wait for a read, a token or a slot of the client is not the record's fault: its timeout stands still. It stays
      // in the list, so that a system that answers nothing is noticed by those that wait, too.
      waits: (entry, now) => {
        if (entry.running) entry.leftMs = Math.max(0, entry.dueAt - now)
        else if (!entry.alone) this.#timeouts.add(entry, now)
        entry.running = false
      },
      outcome: (entry, outcome, now) => {
        this.#outcome(entry, outcome, now)
      },
      alive: (sentAt) => {
        this.#systemAnswered(sentAt)
      },
      failed: events.failed,
    })
  }

  add(entry: LookupEntry<V, R>): void {
    this.#requests.add(entry)
  }

  /** Cancels every timer; answers that still come are ignored. */
  close(): void {
    this.#closed = true
    this.#requests.close()
    this.#timeouts.close()
    this.#held.close()
    this.#patience?.cancel()
    this.#patience = null
    for (const entry of this.#resting) entry.rest?.cancel()
    this.#resting.clear()
  }

  #tick(): number {
    this.#ticks += 1
    return this.#ticks
  }

  #outcome(entry: LookupEntry<V, R>, outcome: LookupOutcome<R>, now: number): void {
    if (outcome.kind === 'error') {
      if (outcome.unavailable === true && this.#client.probe !== undefined) this.#unavailable(entry, outcome.error)
      else this.#failure(entry, outcome.error, now)
      return
    }
    const { statistics } = this.#events
    this.#available(entry)
    if (outcome.kind === 'hit') statistics.hits += 1
    else statistics.misses += 1
    this.#unlist(entry)
    entry.row = outcome.kind === 'hit' ? outcome.result : null
    entry.move('answered')
    this.#events.settled(entry)
  }

  /** The system could not answer, as it said: the record is asked for again until it can, and no try is used up. */
  #unavailable(entry: LookupEntry<V, R>, error: TidemarkError): void {
    if (entry.refusal === null) this.#refusing += 1
    entry.refusal = error
    entry.refusals += 1
    entry.attempts -= 1
    this.#tellSilence()
    this.#rest(entry, backoffMs(this.#policy.retry, entry.refusals, this.#policy.random))
  }

  /** It can be answered again, or failed otherwise. */
  #available(entry: LookupEntry<V, R>): void {
    if (entry.refusal === null) return
    entry.refusal = null
    entry.refusals = 0
    this.#refusing -= 1
    this.#tellSilence()
  }

  #failure(entry: LookupEntry<V, R>, error: TidemarkError, now: number): void {
    const { name } = this.#client
    const { retry, random } = this.#policy
    this.#available(entry)
    if (error.kind === 'guard' || error.kind === 'configuration') {
      this.#events.failed(error)
      return
    }
    if (!error.retriable) {
      this.#unlist(entry)
      entry.error = error.kind === 'record' ? error : lookupFailed(name, error, entry.attempts)
      this.#refuse(entry)
      return
    }
    const delayMs = backoffMs(retry, entry.attempts, random)
    // Of one that never got its turn nothing is used up but the try.
    if (entry.attempts >= retry.attempts || (entry.running && now + delayMs >= entry.dueAt)) {
      this.#unlist(entry)
      this.#giveUp(entry, lookupFailed(name, error, entry.attempts), now)
      return
    }
    this.#rest(entry, delayMs)
  }

  #rest(entry: LookupEntry<V, R>, delayMs: number): void {
    this.#events.statistics.retries += 1
    entry.move('resting')
    this.#resting.add(entry)
    entry.rest = this.#policy.clock.after(delayMs, () => {
      this.#stopResting(entry)
      this.#requests.addAgain(entry)
    })
  }

  #stopResting(entry: LookupEntry<V, R>): void {
    if (entry.rest === null) return
    entry.rest.cancel()
    entry.rest = null
    this.#resting.delete(entry)
  }

  #timedOut(entry: LookupEntry<V, R>): void {
    const { timeoutMs, clock } = this.#policy
    this.#events.statistics.timeouts += 1
    this.#stopResting(entry)
    this.#requests.detach(entry)
    const error = lookupTimeout(this.#client.name, timeoutMs, clock.machineCalls?.hint)
    this.#giveUp(entry, error, clock.monotonicMs())
  }

  /** Timeout, or out of tries. */
  #giveUp(entry: LookupEntry<V, R>, error: TidemarkError, now: number): void {
    entry.error = error
    if (this.#client.probe === undefined) {
      this.#refuse(entry)
      return
    }
    entry.move('held')
    this.#hold(entry, now)
  }

  #refuse(entry: LookupEntry<V, R>): void {
    const { statistics, settled } = this.#events
    if (entry.error !== null) statistics.refused(entry.error.code)
    entry.move('refused')
    settled(entry)
  }

  /** It has waited for its turn for as long as a system may be silent. Whether this one is shows by probes. */
  #watch(entry: LookupEntry<V, R>): void {
    if (this.#client.probe === undefined) return
    entry.watched = true
    this.#hold(entry, this.#policy.clock.monotonicMs())
  }

  #hold(entry: LookupEntry<V, R>, now: number): void {
    entry.heldAt = this.#tick()
    this.#held.add(entry, now)
    this.#tellSilence()
    // With a probe on its way the next one follows its answer, or its patience: a probe per record would be a flood.
    if (this.#patience === null) this.#sendProbe()
  }

  /** Its timeout, or its watch, is over. */
  #unlist(entry: LookupEntry<V, R>): void {
    if (!entry.watched) {
      this.#timeouts.remove(entry)
      return
    }
    entry.watched = false
    this.#held.remove(entry)
    this.#tellSilence()
  }

  /** Something sent at `sentAt` (on the count of events) has been answered, which lets go of what was held before. */
  #systemAnswered(sentAt: number): void {
    for (let entry = this.#held.oldest; entry !== null && entry.heldAt < sentAt; entry = this.#held.oldest) {
      this.#held.remove(entry)
      this.#tellSilence()
      if (entry.watched) {
        entry.watched = false
        this.#timeouts.add(entry, this.#policy.clock.monotonicMs())
      } else if (entry.blamed) this.#refuse(entry)
      else this.#askOnceMore(entry)
    }
  }

  /**
   * All of its requests may have failed with everybody else's: while the system was out for a moment, or this process stood
   * still. Now that the system answers, one more request beside a probe shows whose fault it is.
   */
  #askOnceMore(entry: LookupEntry<V, R>): void {
    entry.checkedAt = this.#tick()
    entry.blamed = false
    entry.error = null
    entry.running = false
    entry.leftMs = Infinity
    this.#requests.addAgain(entry)
  }

  #probeBeside(entry: LookupEntry<V, R>): void {
    const { checkedAt } = entry
    // Behind the request itself.
    Promise.resolve()
      .then(() => this.#probe())
      .then(
        () => {
          if (entry.checkedAt === checkedAt) entry.blamed = true
        },
        () => {
          // Not an answer: what becomes of the request is not held against the record.
        },
      )
  }

  #sendProbe(): void {
    const sentAt = this.#tick()
    const probeAgain = (): void => {
      this.#patience = null
      if (!this.#closed && this.#held.oldest !== null) this.#sendProbe()
    }
    const patience = this.#policy.clock.after(this.#patienceMs, probeAgain)
    this.#patience = patience
    this.#probe().then(
      () => {
        if (this.#closed) return
        this.#systemAnswered(sentAt)
        if (this.#patience !== patience) return
        patience.cancel()
        probeAgain()
      },
      () => {
        // Not an answer. The next probe goes out when the patience with this one ends.
      },
    )
  }

  /** A client that throws instead of rejecting makes a rejected promise here. */
  async #probe(): Promise<void> {
    this.#events.statistics.probes += 1
    await this.#client.probe?.()
  }

  #tellSilence(): void {
    this.#events.silent(this.#held.oldest !== null || this.#refusing > 0)
  }

  /** For the whole of the timeout. Other answers do not count: a part of the replicas may be gone. */
  #outage(refusal: TidemarkError | null, cause: unknown): void {
    const client = this.#client
    const probe = async (): Promise<void> => client.probe?.()
    this.#events.statistics.outages += 1
    this.#events.failed(lookupOutage({ system: client.name, probe }, this.#policy.timeoutMs, refusal, cause))
  }
}
