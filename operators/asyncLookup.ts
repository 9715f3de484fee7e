import type { Observable, OperatorFunction } from 'rxjs'
import type { Clock } from '../src/core/ports/clock.ts'
import { refuseTo, type RefuseRecord } from '../src/core/badRecord.ts'
import { operatorContext, type OperatorContext, type PipelineContext, type Step } from '../src/core/context.ts'
import type { LookupClient, LookupOutcome } from '../src/core/ports/lookup.ts'
import { LookupOperation, type LookedUp } from '../src/lookup/lookupOperation.ts'
import { checkLookupOptions, groupSizing, type LookupOptions } from '../src/lookup/lookupOptions.ts'
import type { LookupQueueSpec } from '../src/lookup/lookupQueue.ts'
import { LookupStatistics } from '../src/lookup/lookupStatistics.ts'
import { isPromise, misuse, nameOf } from '../src/core/misuse.ts'
import { operate } from '../src/core/operate.ts'
import { RateLimiter } from '../src/lookup/rateLimiter.ts'
import type { StreamRecord } from '../src/core/record.ts'
import { stepOptions } from '../src/core/stepOptions.ts'

/** A lookup written in the job file: resolves with the row, or null for none. */
export type LookupFunction<V, R> = (value: V, record: StreamRecord<V>) => Promise<R | null>

/** What a step keeps over all epochs of its task. */
export interface KeptLookup {
  readonly statistics: LookupStatistics
  readonly limiter: RateLimiter | null
}

const operator = 'asyncLookup'

const defaultMaxGroup = 1_000
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
export function asyncLookup<Request, R>(
  context: PipelineContext,
  options: LookupOptions & { readonly lookup: LookupClient<Request, R> },
): <V extends Request>(source$: Observable<StreamRecord<V>>) => Observable<StreamRecord<LookedUp<V, R>>>
export function asyncLookup<V, R>(
  context: PipelineContext,
  options: LookupOptions & { readonly lookup: LookupFunction<V, R> },
): OperatorFunction<StreamRecord<V>, StreamRecord<LookedUp<V, R>>>
export function asyncLookup<V, R>(
  context: PipelineContext,
  options: LookupOptions & { readonly lookup: LookupClient<V, R> | LookupFunction<V, R> },
): OperatorFunction<StreamRecord<V>, StreamRecord<LookedUp<V, R>>> {
  const attempt = operatorContext(context)
  const checked = checkLookupOptions(options)
  const { capacity, reads, timeoutMs, batch, retry, rateLimit } = checked
  const client =
    typeof options.lookup === 'function' ? functionClient(options.lookup, context.clock) : tableClient(options.lookup)
  const step = attempt.step({
    kind: operator,
    ...stepOptions(options),
    details: {
      system: client.system,
      wait: options.wait,
      capacity,
      reads,
      timeoutMs,
      attempts: retry.attempts,
      batch,
    },
    // A record's own deadline, and as long again for the probe that tells an outage from its fault.
    longestWaitMs: 2 * timeoutMs,
    figures: noLookups,
  })
  const refuseRecord = refuseTo(attempt, options.onError)
  const failEpoch = refuseTo(attempt, undefined)
  const refuse: RefuseRecord = (error, record) => {
    const exhausted = error.code === 'lookup-timeout' || error.code === 'lookup-failed'
    if (exhausted && options.whenExhausted === 'fail') failEpoch(error, record)
    else refuseRecord(error, record)
  }
  const { clock, random } = attempt
  return (source$) =>
    operate(step, source$, (destination) => {
      const kept = step.keep<KeptLookup>(
        () => {
          warnOfTimeout(attempt, step, options.lookup, timeoutMs)
          return {
            statistics: new LookupStatistics(),
            limiter: rateLimit === null ? null : new RateLimiter(rateLimit),
          }
        },
        ({ statistics }) => statistics.figures(),
      )
      const groupSize = groupSizing(batch, client.askMany === null ? 1 : client.maxGroup, capacity)
      const queue = { ...client, ...kept, reads, timeoutMs, retry, clock, random, groupSize }
      return new LookupOperation({ context: attempt, step, destination, refuse, options: checked, queue })
    })
}

/** How a client of either kind is asked. */
type Asked<V, R> = Pick<LookupQueueSpec<V, R>, 'system' | 'ask' | 'askMany' | 'hasTurns' | 'probe'> & {
  readonly maxGroup: number
}

function tableClient<V, R>(client: LookupClient<V, R>): Asked<V, R> {
  return {
    system: client.name,
    ask: (record, turn) => client.lookup(record.value, turn),
    askMany: client.lookupMany?.bind(client) ?? null,
    hasTurns: client.hasTurns === true,
    probe: client.probe?.bind(client) ?? null,
    maxGroup: client.maxGroup ?? defaultMaxGroup,
  }
}

const miss: LookupOutcome<never> = { kind: 'miss' }

function functionClient<V, R>(lookup: LookupFunction<V, R>, { machineCalls }: Clock): Asked<V, R> {
  return {
    system: lookup.name === '' || lookup.name === 'lookup' ? 'the lookup function' : lookup.name,
    ask: (record) => {
      const answer: unknown =
        machineCalls === undefined ? lookup(record.value, record) : machineCalls.run(() => lookup(record.value, record))
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
    askMany: null,
    hasTurns: false,
    probe: null,
    maxGroup: 1,
  }
}

/** Once a task, when it first runs: the client is not known before. */
function warnOfTimeout<V, R>(
  { log, planning }: OperatorContext,
  { name }: Step,
  lookup: LookupClient<V, R> | LookupFunction<V, R>,
  timeoutMs: number,
): void {
  if (planning || typeof lookup === 'function' || lookup.requestTimeoutMs === undefined) return
  const { requestTimeoutMs } = lookup
  if (requestTimeoutMs < timeoutMs) return
  log.warn(
    `The client waits for an answer as long as the lookup may take in all, so nothing is tried again: set its request timeout below timeoutMs`,
    { step: name, system: lookup.name, requestTimeoutMs, timeoutMs },
  )
}
