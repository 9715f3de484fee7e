import type { OperatorFunction, Subscriber } from 'rxjs'
import { operatorContext, type OperatorContext, type PipelineContext, type Step } from '../src/core/context.ts'
import { TidemarkError } from '../src/core/errors.ts'
import { Fifo } from '../src/core/fifo.ts'
import { checkRecord, isPromise, misuse, nameOf } from '../src/core/mistakes.ts'
import { operate, type Operation } from '../src/core/operate.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { LookupClient, LookupOutcome } from '../src/core/ports/lookup.ts'
import { recordBytes, type StreamRecord } from '../src/core/record.ts'
import { refuseTo, stepOptions, type RefuseRecord } from '../src/core/stepOptions.ts'
import { LookupEngine } from '../src/lookup/lookupEngine.ts'
import { LookupEntry } from '../src/lookup/lookupEntry.ts'
import { checkLookupOptions, groupSizing, type LookupOptions, type LookupPolicy } from '../src/lookup/lookupPolicy.ts'
import type { RecordLookup } from '../src/lookup/lookupRequests.ts'
import { LookupStatistics } from '../src/lookup/lookupStatistics.ts'
import { RateLimiter } from '../src/lookup/rateLimiter.ts'

/** A value and what was looked up for it; `row` null: there is none. */
export interface LookedUp<V, R> {
  readonly message: V
  readonly row: R | null
}

/** A lookup written in the job file: resolves with the row, or null for none. */
export type LookupFunction<V, R> = (value: V, record: StreamRecord<V>) => Promise<R | null>

/** What a step keeps over all epochs of its task. */
export interface KeptLookup {
  readonly statistics: LookupStatistics
  readonly limiter: RateLimiter | null
}

export interface AsyncLookupOptions<V, R> extends LookupOptions {
  /** What is asked: a client, which may ask for less than the whole value, or a function. */
  readonly lookup: LookupClient<NoInfer<V>, R> | LookupFunction<V, R>
}

const operator = 'asyncLookup'
const noLookups = new LookupStatistics().figures()

/**
 * Looks each record up and passes it on with its row: `StreamRecord<V>` to `StreamRecord<{ message, row }>`.
 *
 * `lookup` is a client (`cassandraRow(context)`) or a function. Of a function, only a rejection whose error has
 * `retriable: true` is tried again. A record leaves exactly once, as a hit, a miss, or an error, whatever answers, retries
 * and timeouts do; late answers are ignored. A request that is given up at its deadline frees its read although the client
 * may still be at it: give the client a timeout of its own of at most `timeoutMs`.
 *
 * A record's `timeoutMs` is for its requests under way and the delays between tries, one sum over all tries. To wait for
 * its turn is not its fault and does not count: for a read, for the rate limit, for a bound of the client's own
 * (`cassandra.max.in.flight`). So an overload that only makes things wait leads to no timeout and no try again. What bounds
 * the wait is `checkpoint.timeout.ms`.
 *
 * A group that has not answered in half of `timeoutMs` after all of it was sent is split and each record asked for by
 * itself: one slow row does not fail its neighbours.
 *
 * Errors: what the client calls final (not retriable) concerns one record, which goes to `onError` at once (in its turn
 * when ordered), else fails the epoch. After a timeout (`lookup-timeout`) or the last try (`lookup-failed`) the record is
 * held until the client's system answers anything that was sent after that. Whatever has failed may have failed with
 * everything else, so it is then asked for once more, beside a probe and within another `timeoutMs`, and treated the same
 * only if that fails and the probe is answered. With nothing answered for `timeoutMs` it is a `lookup-outage`: the epoch is
 * aborted and replayed once the system answers again. Time in which the process stood still counts for nothing. A record that
 * waits in the client or for another try has the system probed as well, each `timeoutMs`, but is let go on by an answer.
 * Functions, and clients without `probe`, cannot tell, so nothing is held.
 *
 * Delivery: a replayed epoch looks up again and may see a newer row; its outputs are still exactly once.
 *
 * Memory: `capacity` records; beyond them (expansion upstream, flushes at the barrier) the epoch's byte limit, and
 * `lookup-overflow` fails the epoch, which is then tried in shorter ones. Needs no `uid`: nothing outlives an epoch but
 * the rate limiter and the statistics, which are the task's.
 *
 * @throws TidemarkError `invalid-argument`
 * @example asyncLookup(context, { lookup: cassandraRow(context), wait: 'unordered', capacity: 100, onError: deadLetters })
 */
export function asyncLookup<V, R>(
  context: PipelineContext,
  options: AsyncLookupOptions<V, R>,
): OperatorFunction<StreamRecord<V>, StreamRecord<LookedUp<V, R>>> {
  const attempt = operatorContext(context)
  const checked = checkLookupOptions(options)
  const { wait, capacity, reads, timeoutMs, batch, retry, rateLimit } = checked
  const { lookup } = options
  const { clock, random, gate, limits } = attempt
  const client = typeof lookup === 'function' ? functionClient(lookup, clock) : lookup
  const step = attempt.step({
    kind: operator,
    ...stepOptions(options),
    details: { system: client.name, wait, capacity, reads, timeoutMs, attempts: retry.attempts, batch },
    // A record's own deadline, and as long again for the probe that tells an outage from its fault.
    longestWaitMs: 2 * timeoutMs,
    figures: noLookups,
  })
  const refuseRecord = refuseTo(attempt, options.onError)
  const failEpoch = refuseTo(attempt, undefined)
  const refuse: RefuseRecord = (error, record) => {
    const exhausted = error.code === 'lookup-timeout' || error.code === 'lookup-failed'
    if (exhausted && checked.whenExhausted === 'fail') failEpoch(error, record)
    else refuseRecord(error, record)
  }
  return (source$) =>
    operate(step, source$, (destination) => {
      const { statistics, limiter } = step.keep<KeptLookup>(
        () => {
          warnOfTimeout(attempt, step, client, timeoutMs)
          return {
            statistics: new LookupStatistics(),
            limiter: rateLimit === null ? null : new RateLimiter(rateLimit),
          }
        },
        (kept) => kept.statistics.figures(),
      )
      const policy = { reads, timeoutMs, retry, groupSize: groupSizing(checked), limiter, clock, random }
      return new LookupOperation({ ...checked, client, policy, statistics, step, gate, limits, destination, refuse })
    })
}

/** What one attempt works with. */
interface LookupOperationSpec<V, R> extends Pick<OperatorContext, 'gate' | 'limits'> {
  readonly wait: LookupOptions['wait']
  readonly capacity: number
  readonly client: RecordLookup<V, R>
  readonly policy: LookupPolicy
  readonly statistics: LookupStatistics
  readonly step: Step
  readonly destination: Subscriber<StreamRecord<LookedUp<V, R>>>
  readonly refuse: RefuseRecord
}

/** Memory a waiting record takes besides its bytes. */
const entryBytes = 64

/** One attempt: what is inside and in which order it leaves, the gate, the byte limit, the end. */
class LookupOperation<V, R> implements Operation<StreamRecord<V>> {
  readonly #spec: LookupOperationSpec<V, R>
  readonly #engine: LookupEngine<V, R>
  /** All that is inside, in the order of arrival; null where the order does not matter. */
  readonly #order: Fifo<LookupEntry<V, R>> | null
  readonly #reopenBelow: number
  #inside = 0
  #overflowBytes = 0
  #openGate: (() => void) | null = null
  #sourceCompleted = false
  #closed = false

  constructor(spec: LookupOperationSpec<V, R>) {
    const { wait, capacity, client, policy, statistics, step } = spec
    this.#spec = spec
    this.#order = wait === 'ordered' ? new Fifo() : null
    // A quarter must leave first, so that the source is not started for each single record.
    this.#reopenBelow = Math.max(1, Math.floor(capacity * 0.75))
    this.#engine = new LookupEngine(client, policy, {
      statistics,
      silent: (isSilent) => {
        step.unreachable = isSilent ? client.name : null
      },
      settled: (entry) => {
        this.#settled(entry)
      },
      failed: (error) => {
        this.#fail(error)
      },
    })
  }

  next(record: StreamRecord<V>): void {
    checkRecord(operator, record)
    const { capacity, statistics, step, gate, limits } = this.#spec
    const entry = new LookupEntry<V, R>(record, this.#inside < capacity ? 0 : bytesOf(record))
    this.#inside += 1
    step.pending += 1
    if (entry.overflowBytes > 0) {
      this.#overflowBytes += entry.overflowBytes
      if (this.#overflowBytes > limits.epochBytes) throw this.#overflow()
    }
    if (this.#inside >= capacity && this.#openGate === null) {
      statistics.gateClosed += 1
      this.#openGate = gate.close()
    }
    this.#order?.push(entry)
    this.#engine.add(entry)
  }

  complete(): void {
    this.#sourceCompleted = true
    this.#completeWhenEmpty()
  }

  /** The records still inside stay counted as pending: that is how the task learns of a loss. */
  teardown(): void {
    this.#closed = true
    this.#engine.close()
    this.#openGate?.()
    this.#openGate = null
  }

  #settled(entry: LookupEntry<V, R>): void {
    try {
      if (this.#order === null) this.#leave(entry)
      else this.#leaveInOrder(this.#order)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (this.#openGate !== null && this.#inside < this.#reopenBelow) {
      const open = this.#openGate
      this.#openGate = null
      open()
    }
    this.#completeWhenEmpty()
  }

  #leaveInOrder(order: Fifo<LookupEntry<V, R>>): void {
    for (let head = order.peek(); head?.settled === true && !this.#closed; head = order.peek()) {
      order.shift()
      this.#leave(head)
    }
  }

  #leave(entry: LookupEntry<V, R>): void {
    const { step, destination, refuse } = this.#spec
    const { record, error } = entry
    entry.move('left')
    // Counted out first: what it causes downstream may end this attempt, and the record is not lost then.
    this.#inside -= 1
    step.pending -= 1
    this.#overflowBytes -= entry.overflowBytes
    if (error !== null) refuse(error, record)
    else destination.next(record.withValue({ message: record.value, row: entry.row }))
  }

  #completeWhenEmpty(): void {
    if (this.#sourceCompleted && this.#inside === 0 && !this.#closed) this.#spec.destination.complete()
  }

  #fail(error: unknown): void {
    if (this.#closed) return
    this.#spec.step.failed(error)
    this.#spec.destination.error(error)
  }

  #overflow(): TidemarkError {
    const { capacity, client, limits } = this.#spec
    const limit = limits.epochBytes
    return new TidemarkError(
      'lookup-overflow',
      `${String(this.#inside)} records wait for ${client.name}, ${String(this.#overflowBytes)} bytes beyond the capacity of ` +
        `${String(capacity)}; an epoch may hold ${String(limit)}: expand less upstream or shorten the epoch`,
      { details: { inside: this.#inside, overflowBytes: this.#overflowBytes, limit } },
    )
  }
}

function bytesOf({ key, headers, raw }: StreamRecord<unknown>): number {
  return recordBytes({ key, headers, value: raw }) + entryBytes
}

const miss: LookupOutcome<never> = { kind: 'miss' }

function functionClient<V, R>(lookup: LookupFunction<V, R>, { machineCalls }: Clock): RecordLookup<V, R> {
  return {
    name: lookup.name === '' || lookup.name === 'lookup' ? 'the lookup function' : lookup.name,
    lookup: (value, _turn, record) => {
      const answer: unknown =
        machineCalls === undefined ? lookup(value, record) : machineCalls.run(() => lookup(value, record))
      if (!isPromise(answer)) {
        throw misuse(
          operator,
          `the lookup function returned ${nameOf(answer)}, and has to return a promise of the row or of null. Declare it async.`,
          record,
        )
      }
      return (answer as ReturnType<typeof lookup>).then((result) =>
        result === null || result === undefined ? miss : { kind: 'hit', result },
      )
    },
  }
}

/** Once a task, when it first runs: the client is not known before. */
function warnOfTimeout<V, R>(
  { log, planning }: OperatorContext,
  { name }: Step,
  { name: system, requestTimeoutMs }: RecordLookup<V, R>,
  timeoutMs: number,
): void {
  if (planning || requestTimeoutMs === undefined || requestTimeoutMs < timeoutMs) return
  log.warn(
    `The client waits for an answer as long as the lookup may take in all, so nothing is tried again: set its request timeout below timeoutMs`,
    { step: name, system, requestTimeoutMs, timeoutMs },
  )
}
