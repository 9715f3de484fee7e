import { ArgumentOutOfRangeError, EmptyError, isObservable, type Observable } from 'rxjs'
import { TidemarkError, asTidemarkError } from '../../core/errors.ts'
import { isPromise } from '../../core/mistakes.ts'
import type { StreamRecord } from '../../core/record.ts'
import { UnreadRecord } from '../../core/unreadRecord.ts'
import { AttemptContext, type AttemptEnvironment } from './attemptContext.ts'
import { guards, type AttemptOwner } from './guards.ts'
import type { RefusedOrigin } from '../follower/rowSender.ts'
import type { Pipelines } from '../plan/defineJob.ts'
import { SubscriptionNesting } from '../plan/planGraph.ts'

/**
 * One attempt at one epoch: its pipelines' subscriptions, and the guards that make "complete" trustworthy. Used once; after
 * its end everything that its context handed out throws `stale-context`.
 */
export class EpochAttempt implements AttemptOwner {
  readonly context: AttemptContext
  readonly nesting: SubscriptionNesting = new SubscriptionNesting()
  readonly #environment: AttemptEnvironment
  readonly #completed: boolean[] = []
  readonly #teardowns: (() => void)[] = []
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers()
  #outcome: 'running' | 'failed' | 'succeeded' = 'running'
  /** The failure that ended the attempt. */
  failure: TidemarkError | null = null
  /** What looks like a loss, and where it was seen from below only; see `endedEarly`. */
  #loss: TidemarkError | null = null
  #lossAbove: TidemarkError | null = null
  /** Something was used after all pipelines had completed, so that records are missing. */
  lost: TidemarkError | null = null
  subscribing: number | null = null
  started = false
  streaming = false

  constructor(environment: AttemptEnvironment) {
    this.#environment = environment
    this.context = new AttemptContext(environment, this)
    // The epoch loop awaits it only from the barrier on; a failure before that is not unhandled.
    this.finished.catch(() => undefined)
  }

  // What steps, sources and side outputs see

  get planning(): boolean {
    return this.#environment.planning && this.#environment.rehearsing !== true
  }

  get settled(): boolean {
    return this.#outcome !== 'running'
  }

  /**
   * A subscription ended before its input did. That is a loss, and a guard's error, unless the error that caused it reaches
   * the end of the pipeline in the same call: catchError((error) => throwError(…)) unsubscribes first, and loses nothing.
   */
  endedEarly(error: TidemarkError): void {
    this.#loss ??= error
    this.#judgeSoon()
  }

  /** The same, seen by what comes after: whatever is torn down above it can say more. */
  inputEndedEarly(error: TidemarkError): void {
    this.#lossAbove ??= error
    this.#judgeSoon()
  }

  assertOpen(use: string): void {
    if (this.#outcome === 'running') return
    const { epoch, partition } = this.#environment
    const error = guards.staleContext(use, epoch, partition)
    // What an aborted attempt has left behind is harmless; what comes after a completed one is missing from its commit.
    if (this.#outcome !== 'failed') {
      this.lost ??= error
      this.#environment.lostAfterCommit(error)
    }
    throw error
  }

  // What the planner and the epoch loop see

  /** Resolves when all pipelines have completed and nothing was lost; rejects with the attempt's first failure. */
  get finished(): Promise<void> {
    return this.#end.promise
  }

  /** Records that our own operators hold. */
  get pending(): number {
    let pending = 0
    for (const step of this.context.steps) pending += step.pending
    return pending
  }

  /** A system that some operator has seen not to answer. */
  get unreachable(): string | null {
    return this.context.steps.find((step) => step.unreachable !== null)?.unreachable ?? null
  }

  /** Builds the pipelines and subscribes them in order; the sources emit nothing yet. */
  start(): void {
    const pipelines = checkedPipelines(this.#environment.job.pipeline(this.context))
    for (let index = 0; index < pipelines.length; index += 1) this.#completed.push(false)
    this.#subscribe(pipelines)
    this.started = true
    this.#completeSideOutputs()
    if (!this.planning && !this.settled) this.context.sources.assertSubscribed()
    this.streaming = !this.planning
    // A failure during the subscriptions found some of them not yet registered.
    if (this.settled) this.#tearDown()
  }

  #subscribe(pipelines: readonly Observable<unknown>[]): void {
    for (const [index, pipeline$] of pipelines.entries()) {
      this.subscribing = index
      this.nesting.enter(`pipeline ${String(index + 1)}`)
      const subscription = pipeline$.subscribe({
        error: (error: unknown) => {
          this.fail(
            needsRecord(error)
              ? guards.endsWithoutRecord()
              : asTidemarkError(error, 'pipeline-failed', 'The pipeline failed'),
          )
        },
        complete: () => {
          this.#pipelineCompleted(index)
        },
      })
      this.nesting.leave()
      this.subscribing = null
      this.#teardowns.push(() => {
        subscription.unsubscribe()
      })
      if (this.settled) break
    }
  }

  /** Rows of earlier epochs that were refused become dead letters of this one. */
  passRefused(refused: readonly RefusedOrigin[]): void {
    for (const { sink, error, origin } of refused) if (!this.settled) this.context.passRefused(sink, error, origin)
  }

  emit(record: StreamRecord): void {
    if (record instanceof UnreadRecord) this.context.passUnread(record)
    else this.context.sources.emit(record)
    this.#judgeLoss()
  }

  /** The barrier: the sources complete, and everything in flight drains. */
  barrier(): void {
    this.#judgeLoss()
    this.streaming = false
    this.context.sources.complete()
  }

  get barrierPassed(): boolean {
    return this.context.sources.completed
  }

  /** Ends the attempt. The first failure counts; later ones are its consequences. */
  fail(error: TidemarkError): void {
    if (this.#outcome !== 'running') return
    this.#outcome = 'failed'
    this.failure = error
    this.#end.reject(error)
    if (this.started) this.#tearDown()
  }

  #judgeSoon(): void {
    if (this.settled) return
    queueMicrotask(() => {
      this.#judgeLoss()
    })
  }

  #judgeLoss(): void {
    const loss = this.#loss ?? this.#lossAbove
    if (loss !== null) this.fail(loss)
  }

  #pipelineCompleted(index: number): void {
    this.#completed[index] = true
    if (this.streaming) this.inputEndedEarly(guards.pipelineEndedEarly(index))
    this.#completeSideOutputs()
    if (!this.#completed.every(Boolean) || this.settled || this.#environment.planning) return
    if (!this.context.sources.completed && this.started) return // the sources' teardown reports the early end
    this.#judgeLoss()
    if (this.settled) return
    const leftover = this.context.steps.find((step) => step.pending > 0)
    if (leftover !== undefined) {
      this.fail(guards.lossInDrain(leftover.name, leftover.pending))
      return
    }
    const swallowed = this.context.steps.find((step) => step.error !== null)
    if (swallowed !== undefined) {
      this.fail(guards.errorLost(swallowed.name, swallowed.error))
      return
    }
    this.#outcome = 'succeeded'
    this.context.releaseGate()
    this.#end.resolve()
  }

  #completeSideOutputs(): void {
    const frontier = this.#completed.indexOf(false)
    const reached = frontier === -1 ? this.#completed.length : frontier
    for (const output of this.context.sideOutputs) {
      if (output.consumer !== null && output.consumer <= reached) output.complete()
    }
  }

  #tearDown(): void {
    for (const tearDown of this.#teardowns.splice(0)) {
      try {
        tearDown()
      } catch (error) {
        // A finalize() of the job. The attempt has failed already, with the error that counts.
        this.#environment.log.warn('Cleaning up after a failed epoch threw', { error })
      }
    }
    this.context.releaseGate()
  }
}

function checkedPipelines(built: Pipelines): readonly Observable<unknown>[] {
  const pipelines: readonly unknown[] = Array.isArray(built) ? built : [built]
  if (pipelines.length > 0 && pipelines.every((pipeline$) => isObservable(pipeline$))) return pipelines
  // What an async pipeline makes of it is nobody's any more, also when it fails.
  for (const pipeline$ of pipelines) if (isPromise(pipeline$)) Promise.resolve(pipeline$).catch(() => undefined)
  throw new TidemarkError(
    'invalid-plan',
    'pipeline() must return an Observable, or an array of Observables, at once and not as a promise. Is a return missing, or an async too much?',
  )
}

function needsRecord(error: unknown): boolean {
  return error instanceof EmptyError || error instanceof ArgumentOutOfRangeError
}
