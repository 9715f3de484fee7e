import type { Step, StepSpec } from '../../core/context.ts'
import type { StepFigure } from '../../core/figures.ts'
import { guards, type AttemptOwner } from './guards.ts'

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
  readonly #owner: AttemptOwner
  readonly #kept: Map<string, Kept>

  constructor(name: string, spec: StepSpec, owner: AttemptOwner, kept: Map<string, Kept>) {
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
    if (this.pending > 0 && this.#inner + this.#lasting <= 0)
      this.#owner.endedEarly(guards.lossInDrain(this.name, this.pending))
    else if (this.#owner.streaming && !wasInner) this.#owner.inputEndedEarly(guards.inputEndedEarly(this.name))
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
}
