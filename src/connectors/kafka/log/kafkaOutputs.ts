import type { TidemarkError } from '../../../core/errors.ts'
import { outputRefusal, LearntRefusals } from '../../../core/outputRefusal.ts'
import type { TaskOutputs } from '../../../core/ports/outputs.ts'
import type { OutputRecord } from '../../../core/record.ts'
import type { TaskLogShared } from './taskLogShared.ts'
import { refusalBySettings } from '../write/recordRefusals.ts'

/** What is known of the topics that the sinks of one task write. */
export class KafkaOutputs implements TaskOutputs {
  /** What the brokers have refused in this stretch of the input. */
  readonly learnt: LearntRefusals = new LearntRefusals()
  /** The wall clock when the last transaction was begun. */
  beganMs: number
  readonly #shared: TaskLogShared

  constructor(shared: TaskLogShared) {
    this.#shared = shared
    this.beganMs = shared.clock.now()
  }

  /** By the topic's settings, as far as they are known, and by what the brokers have said in this stretch. */
  refusal(record: OutputRecord): TidemarkError | null {
    const { topics, compression, ownTopics } = this.#shared
    const { topic: name } = record
    if (ownTopics.has(name)) return outputRefusal.ownTopic(name)
    const topic = topics.find(name)
    if (topic === undefined) {
      const refused = this.isPlanned(name) ? undefined : topics.refusal(name)
      if (refused !== undefined) return outputRefusal.noTopic(name, refused)
      topics.request(name)
      return this.learnt.find(record)
    }
    const refusal = refusalBySettings(record, topic, compression, this.beganMs)
    // What speaks against it may have gone since the topic was looked up: a limit was raised, a partition added.
    if (refusal !== null && refusal.details['nowFits'] !== false) topics.refresh(name)
    return refusal ?? this.learnt.find(record)
  }

  /** Whether the plan names the topic; else a record has chosen it. */
  isPlanned(topic: string): boolean {
    return this.#shared.outputs.has(topic) || this.#shared.ownTopics.has(topic)
  }
}
