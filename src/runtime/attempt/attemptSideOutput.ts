import { Observable, type Subscriber } from 'rxjs'
import type { SideOutput } from '../../core/context.ts'
import type { TidemarkError } from '../../core/errors.ts'
import { guards, type AttemptOwner } from './guards.ts'

/**
 * One side output of one attempt. Its consumer is the first returned pipeline that subscribes it; it completes when every
 * pipeline before that one has completed.
 */
export class AttemptSideOutput<T> implements SideOutput<T> {
  readonly name: string
  readonly records$: Observable<T>
  /** Index of the first pipeline that consumes it; null while nobody does. */
  consumer: number | null = null
  readonly #owner: AttemptOwner
  readonly #subscribers: Subscriber<T>[] = []
  #completed = false

  constructor(name: string, owner: AttemptOwner) {
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
    if (this.#completed) this.#refuse(guards.outputCompleted(this.name))
    if (this.#subscribers.length === 0) this.#refuse(guards.outputUnconsumed(this.name))
    for (const subscriber of this.#subscribers) subscriber.next(value)
  }

  complete(): void {
    if (this.#completed) return
    this.#completed = true
    for (const subscriber of this.#subscribers) subscriber.complete()
  }

  #subscribe(subscriber: Subscriber<T>): void {
    this.#owner.assertOpen(`side output '${this.name}'`)
    this.#owner.nesting.reach(this.node)
    if (this.#owner.started) this.#owner.fail(guards.lateConsumer(this.name))
    this.consumer ??= this.#owner.subscribing
    if (this.#owner.planning) {
      subscriber.complete()
      return
    }
    this.#subscribers.push(subscriber)
    subscriber.add(() => {
      if (!this.#completed && !this.#owner.settled) this.#owner.endedEarly(guards.consumerEndedEarly(this.name))
    })
  }

  #refuse(error: TidemarkError): never {
    this.#owner.fail(error)
    throw error
  }
}
