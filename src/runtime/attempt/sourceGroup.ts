import { Observable, type Subscriber } from 'rxjs'
import type { SourceSpec } from '../../core/context.ts'
import { TidemarkError } from '../../core/errors.ts'
import { selects } from '../../core/topicSelection.ts'
import type { StreamRecord } from '../../core/record.ts'
import type { StepCount } from '../metrics/stepCount.ts'
import type { PlannedSource } from '../plan/plannedSource.ts'

/** What the attempt tells its sources. */
export interface SourceOwner {
  assertOpen(use: string): void
  readonly planning: boolean
  readonly started: boolean
  /** True once the attempt has failed or succeeded: teardowns then mean nothing. */
  readonly settled: boolean
  reached(node: string): void
  violated(error: TidemarkError): void
  /** A subscription ended before its input did. */
  endedEarly(error: TidemarkError): void
}

/** Who reads a topic, and how many of its records came in this attempt. */
interface TopicReaders {
  readonly subscribers: readonly Subscriber<StreamRecord>[]
  records: number
}

interface Source extends PlannedSource {
  readonly subscribers: Subscriber<StreamRecord>[]
}

/**
 * The sources of one attempt: every `fromKafka` of the pipeline. They are multicast, emit only once all pipelines are
 * subscribed, and end together. Guards *early end* and *late or no subscriber* live here.
 */
export class SourceGroup {
  readonly #owner: SourceOwner
  readonly #sources: Source[] = []
  readonly #byTopic = new Map<string, TopicReaders>()
  #completed = false

  constructor(owner: SourceOwner) {
    this.#owner = owner
  }

  get sources(): readonly PlannedSource[] {
    return this.#sources
  }

  get completed(): boolean {
    return this.#completed
  }

  add(step: string, spec: SourceSpec): Observable<StreamRecord> {
    const source: Source = { ...spec, step, subscribers: [] }
    this.#sources.push(source)
    return new Observable<StreamRecord>((subscriber) => {
      this.#owner.assertOpen(`source '${step}'`)
      this.#owner.reached(step)
      if (this.#owner.planning) {
        subscriber.complete()
        return
      }
      if (this.#owner.started) {
        this.#owner.violated(lateSubscriber(step))
        return
      }
      source.subscribers.push(subscriber)
      subscriber.add(() => {
        if (!this.#completed && !this.#owner.settled) this.#owner.endedEarly(earlyEnd(step))
      })
    })
  }

  /** Called when all pipelines are subscribed, before the first record. */
  assertSubscribed(): void {
    for (const source of this.#sources) {
      if (source.subscribers.length === 0) this.#owner.violated(noSubscriber(source.step))
    }
  }

  emit(record: StreamRecord): void {
    let readers = this.#byTopic.get(record.topic)
    if (readers === undefined) {
      const subscribers = this.#sources
        .filter((source) => selects(source.topics, record.topic))
        .flatMap((source) => source.subscribers)
      readers = { subscribers, records: 0 }
      this.#byTopic.set(record.topic, readers)
    }
    readers.records += 1
    for (const subscriber of readers.subscribers) subscriber.next(record)
  }

  /** How many records each source has emitted in this attempt. */
  get counts(): readonly StepCount[] {
    return this.#sources.map(({ step, topics }) => {
      let records = 0
      for (const [topic, readers] of this.#byTopic) if (selects(topics, topic)) records += readers.records
      return { step, records }
    })
  }

  /** The barrier: all sources end together. */
  complete(): void {
    this.#completed = true
    for (const source of this.#sources) for (const subscriber of source.subscribers) subscriber.complete()
  }
}

function earlyEnd(name: string): TidemarkError {
  return new TidemarkError(
    'early-end',
    `The pipeline unsubscribed from source '${name}' before the epoch ended, so the records after that would be lost. An operator such as take, first, takeUntil, takeWhile, retry or catchError(() => EMPTY) does that: remove it; send bad records to onError instead of catching errors`,
    { details: { source: name } },
  )
}

function lateSubscriber(name: string): TidemarkError {
  return new TidemarkError(
    'late-subscriber',
    `Source '${name}' was subscribed after the epoch had started, so the records before that would be missing. concat(a, b), subscribeOn, delayed or inner subscriptions do that: use merge(a, b), and subscribe sources directly`,
    { details: { source: name } },
  )
}

function noSubscriber(name: string): TidemarkError {
  return new TidemarkError(
    'no-subscriber',
    `Source '${name}' had no subscriber when the epoch started, so its records would be lost. concat(a, b), subscribeOn, defer inside mergeMap, or a source that is not part of what pipeline() returns do that: return it, and use merge(a, b)`,
    { details: { source: name } },
  )
}
