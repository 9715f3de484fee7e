import type { Step, StepSpec } from '../../core/context.ts'
import { TidemarkError, messageOf } from '../../core/errors.ts'
import type { StepFigure } from '../../core/figures.ts'
import type { SubscriptionNesting } from '../plan/planGraph.ts'

/** What a step needs of its attempt. */
export interface StepOwner {
  readonly settled: boolean
  /** True once all pipelines are subscribed. */
  readonly started: boolean
  /** True while the sources emit: from the end of the subscriptions to the barrier. */
  readonly streaming: boolean
  readonly nesting: SubscriptionNesting
  /** A subscription ended before its input did. */
  endedEarly(error: TidemarkError): void
  inputEndedEarly(error: TidemarkError): void
}

/** What a step keeps for its task's life, and what that has counted. */
export interface Kept {
  readonly value: unknown
  figures(): readonly StepFigure[]
}

/** An operator in one attempt; watches that it neither loses records nor errors in the drain. */
export class AttemptStep implements Step {
  readonly name: string
  readonly spec: StepSpec
  pending = 0
  unreachable: string | null = null
  /** The first error the operator has sent down the pipeline. */
  error: unknown = null
  /** How often it was subscribed. */
  subscriptions = 0
  /** Subscriptions that are open: made with the pipelines, or by inner Observables while records flow. */
  #lasting = 0
  #inner = 0
  readonly #owner: StepOwner
  readonly #kept: Map<string, Kept>

  constructor(name: string, spec: StepSpec, owner: StepOwner, kept: Map<string, Kept>) {
    this.name = name
    this.spec = spec
    this.#owner = owner
    this.#kept = kept
  }

  enter(): void {
    this.subscriptions += 1
    if (this.#owner.started) this.#inner += 1
    else this.#lasting += 1
    this.#owner.nesting.enter(this.name)
  }

  leave(): void {
    this.#owner.nesting.leave()
  }

  failed(error: unknown): void {
    this.error ??= error
  }

  ended(): void {
    // Inner ones end whenever they like, as long as nothing is pending when the last one has.
    const wasInner = this.#inner > 0
    if (wasInner) this.#inner -= 1
    else this.#lasting -= 1
    if (this.#owner.settled) return
    if (this.pending > 0 && this.#inner + this.#lasting <= 0) this.#owner.endedEarly(this.lossInDrain())
    else if (this.#owner.streaming && !wasInner) this.#owner.inputEndedEarly(this.#inputEndedEarly())
  }

  keep<T>(create: () => T, figures: (kept: T) => readonly StepFigure[] = () => []): T {
    let kept = this.#kept.get(this.name)
    if (kept === undefined) {
      const value = create()
      kept = { value, figures: () => figures(value) }
      this.#kept.set(this.name, kept)
    }
    // One step keeps one value, made by the same call in every attempt.
    return kept.value as T
  }

  #inputEndedEarly(): TidemarkError {
    return new TidemarkError(
      'early-end',
      `The input of ${this.name} ended before the epoch did, so the records after that would be missing from it. An operator before it, such as take, first, takeWhile, zip or catchError(() => EMPTY), or one after it, does that: remove it; send bad records to onError instead of catching errors`,
      { details: { step: this.name } },
    )
  }

  lossInDrain(): TidemarkError {
    return new TidemarkError(
      'loss-in-drain',
      `${this.name} was torn down with ${String(this.pending)} records pending, so they would be lost. An operator after it (take, first, takeUntil, retry, catchError(() => EMPTY), switchMap) unsubscribed from it: remove it; send bad records to onError instead of catching errors`,
      { details: { step: this.name, pending: this.pending } },
    )
  }

  errorLost(): TidemarkError {
    return new TidemarkError(
      'loss-in-drain',
      `${this.name} failed, and its error never reached the end of the pipeline: ${messageOf(this.error)}. catchError(() => EMPTY), retry or onErrorResumeNext after it hid the error, and the epoch would have been committed without its records: remove it; send bad records to onError`,
      { details: { step: this.name }, cause: this.error },
    )
  }
}
