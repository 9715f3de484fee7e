import { Observable, type Subscriber } from 'rxjs'
import type { SourceSpec } from '../../core/context.ts'
import { selects } from '../../core/topicSelection.ts'
import type { StreamRecord } from '../../core/record.ts'
import type { PlannedSource } from '../plan/plannedSource.ts'
import { guards, type AttemptOwner } from './guards.ts'

/** Records that passed one source or sink. */
export interface StepCount {
  readonly step: string
  readonly records: number
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
 * subscribed, and end together.
 */
export class SourceGroup {
  readonly #owner: AttemptOwner
  readonly #sources: Source[] = []
  readonly #byTopic = new Map<string, TopicReaders>()
  completed = false

  constructor(owner: AttemptOwner) {
    this.#owner = owner
  }

  get sources(): readonly PlannedSource[] {
    return this.#sources
  }

  add(step: string, spec: SourceSpec): Observable<StreamRecord> {
    const source: Source = { ...spec, step, subscribers: [] }
    this.#sources.push(source)
    return new Observable<StreamRecord>((subscriber) => {
      this.#owner.assertOpen(`source '${step}'`)
      this.#owner.nesting.reach(step)
      if (this.#owner.planning) {
        subscriber.complete()
        return
      }
      if (this.#owner.started) {
        this.#owner.fail(guards.lateSubscriber(step))
        return
      }
      source.subscribers.push(subscriber)
      subscriber.add(() => {
        if (!this.completed && !this.#owner.settled) this.#owner.endedEarly(guards.sourceEndedEarly(step))
      })
    })
  }

  /** Called when all pipelines are subscribed, before the first record. */
  assertSubscribed(): void {
    for (const source of this.#sources) {
      if (source.subscribers.length === 0) this.#owner.fail(guards.noSubscriber(source.step))
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
    this.completed = true
    for (const source of this.#sources) for (const subscriber of source.subscribers) subscriber.complete()
  }
}
