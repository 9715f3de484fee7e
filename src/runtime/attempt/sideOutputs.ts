import { Observable, type Subscriber } from 'rxjs'
import type { SideOutput } from '../../core/context.ts'
import { TidemarkError } from '../../core/errors.ts'

/** What the attempt tells a side output about itself. */
export interface SideOutputOwner {
  /** Throws when the attempt has ended. */
  assertOpen(use: string): void
  /** Index of the returned pipeline that is being subscribed now, or null outside of that. */
  readonly subscribing: number | null
  /** True while planning: a side output then ends as soon as it is subscribed, as the sources do. */
  readonly planning: boolean
  /** True once the sources emit: from then on nothing may subscribe any more. */
  readonly started: boolean
  /** True once the attempt has failed or succeeded: teardowns then mean nothing. */
  readonly settled: boolean
  /** Notes that a side output was subscribed, for the plan's edges. */
  reached(node: string): void
  /** Ends the attempt with a broken invariant. */
  violated(error: TidemarkError): void
  /** A subscription ended before its input did. */
  endedEarly(error: TidemarkError): void
}

/**
 * One side output of one attempt. Its consumer is the first returned pipeline that subscribes it; it completes when every
 * pipeline before that one has completed.
 */
export class AttemptSideOutput<T> implements SideOutput<T> {
  readonly name: string
  readonly records$: Observable<T>
  /** Index of the first pipeline that consumes it; null while nobody does. */
  consumer: number | null = null
  readonly #owner: SideOutputOwner
  readonly #subscribers: Subscriber<T>[] = []
  #completed = false

  constructor(name: string, owner: SideOutputOwner) {
    this.name = name
    this.#owner = owner
    this.records$ = new Observable<T>((subscriber) => {
      this.#subscribe(subscriber)
    })
  }

  get node(): string {
    return `side output ${this.name}`
  }

  emit(value: T): void {
    this.#owner.assertOpen(`side output '${this.name}'`)
    if (this.#completed) {
      this.#refuse('has completed already. Return the pipeline that consumes it after all pipelines that feed it')
    }
    if (this.#subscribers.length === 0) {
      this.#refuse(
        `has no consumer. Return ${this.name}.records$ (piped into a sink) from pipeline(), after the pipelines that feed it`,
      )
    }
    for (const subscriber of this.#subscribers) subscriber.next(value)
  }

  complete(): void {
    if (this.#completed) return
    this.#completed = true
    for (const subscriber of this.#subscribers) subscriber.complete()
  }

  #subscribe(subscriber: Subscriber<T>): void {
    this.#owner.assertOpen(`side output '${this.name}'`)
    this.#owner.reached(this.node)
    if (this.#owner.started) {
      this.#owner.violated(
        new TidemarkError(
          'late-subscriber',
          `Side output '${this.name}' was subscribed after the epoch had started, so records before that are missing. Return it from pipeline(); do not subscribe it inside mergeMap, concat or a timer`,
          { details: { sideOutput: this.name } },
        ),
      )
    }
    this.consumer ??= this.#owner.subscribing
    if (this.#owner.planning) {
      subscriber.complete()
      return
    }
    this.#subscribers.push(subscriber)
    subscriber.add(() => {
      if (!this.#completed && !this.#owner.settled) this.#owner.endedEarly(this.#consumerEnded())
    })
  }

  #consumerEnded(): TidemarkError {
    return new TidemarkError(
      'early-end',
      `The consumer of side output '${this.name}' unsubscribed before the epoch ended, so the records after that would be lost. An operator such as take, first, takeUntil, retry or catchError(() => EMPTY) does that: remove it`,
      { details: { sideOutput: this.name } },
    )
  }

  #refuse(why: string): never {
    const error = new TidemarkError(
      'side-output-closed',
      `A record was emitted to side output '${this.name}', which ${why}`,
      {
        details: { sideOutput: this.name },
      },
    )
    this.#owner.violated(error)
    throw error
  }
}
