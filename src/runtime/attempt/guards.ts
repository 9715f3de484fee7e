import { TidemarkError, messageOf, type ErrorCode, type ErrorDetails } from '../../core/errors.ts'
import { userFrame } from '../../core/userFrame.ts'
import type { SubscriptionNesting } from '../plan/planGraph.ts'

/** An attempt as its steps, sources, sinks and side outputs know it; `EpochAttempt` is the one there is. */
export interface AttemptOwner {
  /** While planning, sources and side outputs end as soon as they are subscribed. */
  readonly planning: boolean
  /** Index of the returned pipeline that is being subscribed now, or null outside of that. */
  readonly subscribing: number | null
  /** True once all pipelines are subscribed: from then on nothing may subscribe a source any more. */
  readonly started: boolean
  /** True while the sources emit: from the end of the subscriptions to the barrier. */
  readonly streaming: boolean
  /** True once the attempt has failed or succeeded: teardowns then mean nothing. */
  readonly settled: boolean
  readonly nesting: SubscriptionNesting
  /** Throws when the attempt has ended. */
  assertOpen(use: string): void
  /** Ends the attempt; the first failure counts. */
  fail(error: TidemarkError): void
  /** A subscription ended before its input did. */
  endedEarly(error: TidemarkError): void
  /** The same, seen by what comes after it. */
  inputEndedEarly(error: TidemarkError): void
}

/**
 * What is trusted with everything, "complete", is watched by guards. Each of their errors stops the job at once, names the
 * mistake and its remedy, and is never replayed, halved or restarted:
 *
 * | guard            | what it sees                                                         | who looks                      |
 * |------------------|----------------------------------------------------------------------|--------------------------------|
 * | early end        | a subscription that ends before the barrier                          | sources, steps, side outputs   |
 * | late subscriber  | a subscription after the sources have begun                          | sources, side outputs          |
 * | no subscriber    | a source that nobody has subscribed when they begin                  | sources                        |
 * | loss in drain    | a step torn down with records pending, or whose error went nowhere   | steps                          |
 * | no end           | nothing pending behind the barrier, and still no `complete`          | the epoch                      |
 * | stale context    | a use after the attempt's end                                        | all that its context hands out |
 * | closed output    | a record for a side output that is complete, or that nobody consumes | side outputs                   |
 * | unawaited work   | a promise or callback that failed, and that no epoch waits for       | the process                    |
 */
export const guards = {
  sourceEndedEarly: (source: string): TidemarkError =>
    guard(
      'early-end',
      `The pipeline unsubscribed from source '${source}' before the epoch ended, so the records after that would be lost. An operator such as take, first, takeUntil, takeWhile, retry or catchError(() => EMPTY) does that: remove it; send bad records to onError instead of catching errors`,
      { source },
    ),

  inputEndedEarly: (step: string): TidemarkError =>
    guard(
      'early-end',
      `The input of ${step} ended before the epoch did, so the records after that would be missing from it. An operator before it, such as take, first, takeWhile, zip or catchError(() => EMPTY), or one after it, does that: remove it; send bad records to onError instead of catching errors`,
      { step },
    ),

  consumerEndedEarly: (sideOutput: string): TidemarkError =>
    guard(
      'early-end',
      `The consumer of side output '${sideOutput}' unsubscribed before the epoch ended, so the records after that would be lost. An operator such as take, first, takeUntil, retry or catchError(() => EMPTY) does that: remove it`,
      { sideOutput },
    ),

  pipelineEndedEarly: (index: number): TidemarkError =>
    guard(
      'early-end',
      `Pipeline ${String(index + 1)} of those returned by pipeline() ended before the epoch did, so the records after that would be missing from it. An operator such as take, first, takeWhile or catchError(() => EMPTY) after share() does that: remove it; send bad records to onError instead of catching errors`,
      { pipeline: index + 1 },
    ),

  /** first, last, elementAt and the like: what they wait for need not come in every epoch. */
  endsWithoutRecord: (): TidemarkError =>
    guard(
      'early-end',
      'The pipeline needs a record that an epoch may not have. first, last, single, elementAt and throwIfEmpty count within one epoch only, and first ends it early: remove it; select records with filter, or keep what must last in mapWithState',
    ),

  lateSubscriber: (source: string): TidemarkError =>
    guard(
      'late-subscriber',
      `Source '${source}' was subscribed after the epoch had started, so the records before that would be missing. concat(a, b), subscribeOn, delayed or inner subscriptions do that: use merge(a, b), and subscribe sources directly`,
      { source },
    ),

  lateConsumer: (sideOutput: string): TidemarkError =>
    guard(
      'late-subscriber',
      `Side output '${sideOutput}' was subscribed after the epoch had started, so records before that are missing. Return it from pipeline(); do not subscribe it inside mergeMap, concat or a timer`,
      { sideOutput },
    ),

  noSubscriber: (source: string): TidemarkError =>
    guard(
      'no-subscriber',
      `Source '${source}' had no subscriber when the epoch started, so its records would be lost. concat(a, b), subscribeOn, defer inside mergeMap, or a source that is not part of what pipeline() returns do that: return it, and use merge(a, b)`,
      { source },
    ),

  lossInDrain: (step: string, pending: number): TidemarkError =>
    guard(
      'loss-in-drain',
      `${step} was torn down with ${String(pending)} records pending, so they would be lost. An operator after it (take, first, takeUntil, retry, catchError(() => EMPTY), switchMap) unsubscribed from it: remove it; send bad records to onError instead of catching errors`,
      { step, pending },
    ),

  errorLost: (step: string, cause: unknown): TidemarkError =>
    guard(
      'loss-in-drain',
      `${step} failed, and its error never reached the end of the pipeline: ${messageOf(cause)}. catchError(() => EMPTY), retry or onErrorResumeNext after it hid the error, and the epoch would have been committed without its records: remove it; send bad records to onError`,
      { step },
      cause,
    ),

  noEnd: (afterMs: number, where: { readonly epoch: number; readonly partition: number }): TidemarkError =>
    guard(
      'no-end',
      `The pipeline did not complete within ${String(afterMs)} ms after its source had, and no operator of Tidemark has records pending. An Observable that never ends, such as interval, timer, a Subject or NEVER, is merged into it: end it with its source (takeUntil(source$.pipe(last(null, 0)))), or keep timers out of pipelines`,
      where,
    ),

  staleContext: (use: string, epoch: number, partition: number): TidemarkError =>
    guard(
      'stale-context',
      `${use} was used after its epoch attempt had ended (epoch ${String(epoch)}, partition ${String(partition)}). A promise or timer of the pipeline outlived its epoch: make it part of the Observable (mergeMap, asyncLookup), so that the epoch waits for it`,
      { epoch, partition },
    ),

  outputCompleted: (sideOutput: string): TidemarkError =>
    guard(
      'side-output-closed',
      `A record was emitted to side output '${sideOutput}', which has completed already. Return the pipeline that consumes it after all pipelines that feed it`,
      { sideOutput },
    ),

  outputUnconsumed: (sideOutput: string): TidemarkError =>
    guard(
      'side-output-closed',
      `A record was emitted to side output '${sideOutput}', which has no consumer. Return ${sideOutput}.records$ (piped into a sink) from pipeline(), after the pipelines that feed it`,
      { sideOutput },
    ),

  /** `tap(async …)`, a call without await, a subscription of its own: nothing may be committed as if that were done. */
  unawaitedWork: (error: unknown): TidemarkError => {
    // A guard's own error, thrown into such a callback, says more.
    if (error instanceof TidemarkError && error.kind === 'guard') return error
    const at = userFrame(error)
    return guard(
      'unawaited-work',
      `Something failed that no epoch waits for: ${messageOf(error)}${at === null ? '' : `, at ${at}`}. A promise or a subscription that is not part of the pipeline, as in tap(async …) or a call without await, belongs to no epoch: await it in the lookup function of asyncLookup, or catch its errors where it is made`,
      {},
      error,
    )
  },
}

function guard(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown): TidemarkError {
  return new TidemarkError(code, message, { details, cause })
}
