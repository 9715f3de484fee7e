import { backoffMs, type RetryPolicy } from './backoff.ts'
import { Deadlines } from './deadlines.ts'
import { TidemarkError } from '../core/errors.ts'
import { HeldLookups } from './heldLookups.ts'
import type { LookupOutcome } from '../core/ports/lookup.ts'
import type { LookupEntry } from './lookupEntry.ts'
import { Outage } from '../core/outage.ts'
import { LookupRequests, type LookupRequestsSpec } from './lookupRequests.ts'
import type { Random } from '../core/ports/random.ts'

/** What is asked, and how; the same for every attempt of a step. */
export interface LookupQueueSpec<V, R> extends Omit<
  LookupRequestsSpec<V, R>,
  'splitAfterMs' | 'tick' | 'sent' | 'waits' | 'outcome' | 'alive'
> {
  /** Null: there is no telling an outage from one bad record, so failures are never held. */
  readonly probe: (() => Promise<void>) | null
  /** What the requests for one record may take in all, while they are under way and between tries. */
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  readonly random: Random
  /** Told when the system is seen not to answer, and when it answers again. */
  readonly silent: (isSilent: boolean) => void
  /** A record is answered or refused; called once a record, and never from `add`. */
  readonly settled: (entry: LookupEntry<V, R>) => void
}

/**
 * What becomes of each record of one attempt: answered, tried again, timed out, held, refused. It knows nothing of order,
 * gates or pipelines; the requests themselves are sent by `LookupRequests`.
 */
export class LookupQueue<V, R> {
  readonly #spec: LookupQueueSpec<V, R>
  readonly #requests: LookupRequests<V, R>
  readonly #deadlines: Deadlines<LookupEntry<V, R>>
  readonly #resting = new Set<LookupEntry<V, R>>()
  readonly #held: HeldLookups<V, R> | null
  /** Records whose last try the system could not answer. */
  #refusing = 0
  #silent = false
  /** Counts requests, probes and failures, so that "sent after that failure" does not depend on a clock's resolution. */
  #events = 0

  constructor(spec: LookupQueueSpec<V, R>) {
    const tick = (): number => this.#tick()
    this.#spec = spec
    this.#deadlines = new Deadlines(spec.clock, spec.timeoutMs, (entry) => {
      if (!entry.running) this.#watch(entry)
      else if (entry.refusals > 0) this.#unavailable(entry)
      else this.#timedOut(entry)
    })
    this.#requests = new LookupRequests({
      ...spec,
      splitAfterMs: Math.ceil(spec.timeoutMs / 2),
      tick,
      sent: (entry, now) => {
        this.#unlist(entry)
        if (entry.checkedAt !== null) this.#probeBeside(entry)
        this.#deadlines.add(entry, now, entry.leftMs)
        entry.running = true
      },
      // To wait for a read, a token or a slot of the client is not the record's fault: its timeout stands still. It stays
      // in the list, so that a system that answers nothing is noticed by those that wait, too.
      waits: (entry, now) => {
        if (entry.running) entry.leftMs = Math.max(0, entry.dueAt - now)
        else if (!entry.alone) this.#deadlines.add(entry, now)
        entry.running = false
      },
      outcome: (entry, outcome, now) => {
        this.#outcome(entry, outcome, now)
      },
      alive: (sentAt) => this.#held?.answered(sentAt),
    })
    this.#held = this.#holding(spec, tick)
  }

  add(entry: LookupEntry<V, R>): void {
    this.#requests.add(entry)
  }

  /** Cancels every timer; answers that still come are ignored. */
  close(): void {
    this.#requests.close()
    this.#deadlines.close()
    this.#held?.close()
    for (const entry of this.#resting) entry.rest?.cancel()
    this.#resting.clear()
  }

  #tick(): number {
    this.#events += 1
    return this.#events
  }

  #holding(spec: LookupQueueSpec<V, R>, tick: () => number): HeldLookups<V, R> | null {
    const { clock, timeoutMs, probe, statistics, system, failed } = spec
    if (probe === null) return null
    return new HeldLookups({
      clock,
      timeoutMs,
      tick,
      silent: (isSilent) => {
        this.#silent = isSilent
        this.#tellSilence()
      },
      probe: () => {
        statistics.probes += 1
        return probe()
      },
      release: (entry) => {
        if (entry.watched) {
          entry.watched = false
          this.#deadlines.add(entry, clock.monotonicMs())
        } else if (entry.blamed) this.#refuse(entry)
        else this.#askOnceMore(entry)
      },
      outage: (entry) => {
        statistics.outages += 1
        failed(lookupOutage(system, timeoutMs, probe, entry.error))
      },
    })
  }

  #outcome(entry: LookupEntry<V, R>, outcome: LookupOutcome<R>, now: number): void {
    if (outcome.kind === 'error') {
      if (outcome.unavailable === true && this.#held !== null) this.#refused(entry, outcome.error)
      else this.#failure(entry, outcome.error, now)
      return
    }
    this.#answered(entry)
    const { statistics } = this.#spec
    if (outcome.kind === 'hit') statistics.hits += 1
    else statistics.misses += 1
    this.#unlist(entry)
    entry.row = outcome.kind === 'hit' ? outcome.result : null
    entry.move('answered')
    this.#spec.settled(entry)
  }

  /** It can be answered again, or failed otherwise. */
  #answered(entry: LookupEntry<V, R>): void {
    if (entry.refusals === 0) return
    entry.refusals = 0
    entry.refusal = null
    this.#refusing -= 1
    this.#tellSilence()
  }

  #tellSilence(): void {
    this.#spec.silent(this.#silent || this.#refusing > 0)
  }

  /** The system could not answer, as it said: the record is asked for again until it can, and no try is used up. */
  #refused(entry: LookupEntry<V, R>, error: TidemarkError): void {
    const { retry, random } = this.#spec
    if (entry.refusals === 0) this.#refusing += 1
    entry.refusals += 1
    entry.attempts -= 1
    entry.refusal = error
    this.#tellSilence()
    this.#rest(entry, backoffMs(retry, entry.refusals, random))
  }

  /** It could not for the whole of the timeout. Other answers do not count: a part of the replicas may be gone. */
  #unavailable(entry: LookupEntry<V, R>): void {
    const { system, timeoutMs, probe, statistics, failed } = this.#spec
    if (probe === null || entry.refusal === null) return
    statistics.outages += 1
    failed(lookupOutage(system, timeoutMs, probe, entry.refusal, entry.refusal))
  }

  #failure(entry: LookupEntry<V, R>, error: TidemarkError, now: number): void {
    this.#answered(entry)
    if (error.kind === 'guard' || error.kind === 'configuration') {
      this.#spec.failed(error)
      return
    }
    if (!error.retriable) {
      this.#unlist(entry)
      entry.error = error.kind === 'record' ? error : this.#lookupFailed(error, entry.attempts)
      this.#refuse(entry)
      return
    }
    const { retry, random } = this.#spec
    const delayMs = backoffMs(retry, entry.attempts, random)
    // Of one that never got its turn nothing is used up but the try.
    if (entry.attempts >= retry.attempts || (entry.running && now + delayMs >= entry.dueAt)) {
      this.#unlist(entry)
      this.#giveUp(entry, this.#lookupFailed(error, entry.attempts), now)
      return
    }
    this.#rest(entry, delayMs)
  }

  #rest(entry: LookupEntry<V, R>, delayMs: number): void {
    const { clock, statistics } = this.#spec
    statistics.retries += 1
    entry.move('resting')
    this.#resting.add(entry)
    entry.rest = clock.after(delayMs, () => {
      this.#stopResting(entry)
      this.#requests.addAgain(entry)
    })
  }

  /** It is in one of two lists, or in none. */
  #unlist(entry: LookupEntry<V, R>): void {
    if (!entry.watched) {
      this.#deadlines.remove(entry)
      return
    }
    entry.watched = false
    this.#held?.drop(entry)
  }

  /** It has waited for its turn for as long as a system may be silent. Whether this one is shows by probes. */
  #watch(entry: LookupEntry<V, R>): void {
    if (this.#held === null) return
    entry.watched = true
    this.#held.hold(entry, this.#spec.clock.monotonicMs())
  }

  #timedOut(entry: LookupEntry<V, R>): void {
    const { timeoutMs, system, statistics, clock } = this.#spec
    statistics.timeouts += 1
    this.#stopResting(entry)
    this.#requests.detach(entry)
    const sentence = `The lookup in ${system} did not end within ${String(timeoutMs)} ms.${clock.machineCalls?.hint ?? ''}`
    this.#giveUp(
      entry,
      new TidemarkError('lookup-timeout', sentence, { retriable: true, details: { system, timeoutMs } }),
      clock.monotonicMs(),
    )
  }

  /** Timeout, or out of tries. */
  #giveUp(entry: LookupEntry<V, R>, error: TidemarkError, now: number): void {
    entry.error = error
    if (this.#held === null) {
      this.#refuse(entry)
      return
    }
    entry.move('held')
    this.#held.hold(entry, now)
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
    const { probe, statistics } = this.#spec
    const { checkedAt } = entry
    // Behind the request itself. A client that throws instead of rejecting makes a rejected promise here.
    Promise.resolve()
      .then(() => {
        statistics.probes += 1
        return probe?.()
      })
      .then(
        () => {
          if (entry.checkedAt === checkedAt) entry.blamed = true
        },
        () => {
          // Not an answer: what becomes of the request is not held against the record.
        },
      )
  }

  #refuse(entry: LookupEntry<V, R>): void {
    if (entry.error !== null) this.#spec.statistics.refused(entry.error.code)
    entry.move('refused')
    this.#spec.settled(entry)
  }

  #stopResting(entry: LookupEntry<V, R>): void {
    if (entry.rest === null) return
    entry.rest.cancel()
    entry.rest = null
    this.#resting.delete(entry)
  }

  #lookupFailed(error: TidemarkError, attempts: number): TidemarkError {
    const { system } = this.#spec
    const tries = attempts === 1 ? 'one try' : `${String(attempts)} tries`
    return new TidemarkError(
      error.kind === 'record' ? error.code : 'lookup-failed',
      `The lookup in ${system} failed after ${tries}: ${error.message}`,
      { cause: error, details: { ...error.details, system, attempts } },
    )
  }
}

/** `refusal`: what the system itself has said for all that time; absent: nothing at all. */
function lookupOutage(
  system: string,
  silentMs: number,
  probe: () => Promise<void>,
  cause: unknown,
  refusal?: TidemarkError,
): Outage {
  const what =
    refusal === undefined
      ? `has answered nothing for ${String(silentMs)} ms, neither lookups nor probes`
      : `could not answer a lookup for ${String(silentMs)} ms (${refusal.message})`
  return new Outage(
    'lookup-outage',
    `${system} ${what}; the input is paused and the epoch is replayed once it answers`,
    { system, probe, cause, details: { silentMs } },
  )
}
