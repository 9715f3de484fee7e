import { Observable, Subscriber } from 'rxjs'
import type { Step } from './context.ts'

/** What an operator does with its source's notifications; one object per subscription. */
export interface Operation<In> {
  next(value: In): void
  /** Default: passes the end on. An operator that holds records completes its destination when they have left. */
  complete?(): void
  /** Releases timers and the like; called once, whatever ended the subscription. */
  teardown?(): void
}

/**
 * Builds the Observable of an operator of ours: reports it to the task, and turns what it throws into an error of the
 * pipeline. `start` runs once per subscription, which is once per epoch attempt.
 */
export function operate<In, Out>(
  step: Step,
  source$: Observable<In>,
  start: (destination: Subscriber<Out>) => Operation<In>,
): Observable<Out> {
  return new Observable<Out>((destination) => {
    const operation = start(destination)
    destination.add(() => {
      operation.teardown?.()
      step.ended()
    })
    step.enter()
    try {
      source$.subscribe(new StepSubscriber(destination, step, operation))
    } finally {
      step.leave()
    }
  })
}

/** The one place that calls an operator; a subclass of RxJS's Subscriber, because a plain observer costs a wrapper per record. */
class StepSubscriber<In, Out> extends Subscriber<In> {
  readonly #down: Subscriber<Out>
  readonly #step: Step
  readonly #operation: Operation<In>

  constructor(down: Subscriber<Out>, step: Step, operation: Operation<In>) {
    // oxlint-disable-next-line typescript/no-deprecated -- exported, and the one way without a wrapper per record
    super(down)
    this.#down = down
    this.#step = step
    this.#operation = operation
  }

  protected override _next(value: In): void {
    try {
      this.#operation.next(value)
    } catch (error) {
      this.#step.failed(error)
      this.#down.error(error)
    }
  }

  protected override _complete(): void {
    if (this.#operation.complete === undefined) {
      super._complete()
      return
    }
    try {
      this.#operation.complete()
    } catch (error) {
      this.#step.failed(error)
      this.#down.error(error)
    }
    // Not unsubscribed here: the operator completes its destination once it has drained.
  }
}
