import type { Observable } from 'rxjs'
import { checkText, invalidArgument } from '../src/core/mistakes.ts'
import { operatorContext, type PipelineContext } from '../src/core/context.ts'
import { topicPattern, type TopicSelection } from '../src/core/topicSelection.ts'
import { type StreamRecord, isTopicName, topicNameRule } from '../src/core/record.ts'
import { committedOffsets, startMode, type StartMode } from '../src/core/startMode.ts'

export interface FromKafkaOptions {
  /** One topic, several, or all whose names a pattern matches (as `test` does: anchor it with ^ and $). */
  readonly topic: string | readonly string[] | RegExp
  /** The consumer group; the same for all sources of a pipeline. */
  readonly groupId: string
  /** Where a partition without a committed offset begins. Default `committedOffsets('earliest')`. */
  readonly startFrom?: StartMode
  /** Default `kafka-source`. */
  readonly name?: string
}

const operator = 'fromKafka'

/**
 * Reads the task's partition of one or several topics, only committed records, in the order of offsets within each topic.
 * Values are bytes (null: a tombstone). Each epoch it emits a finite stretch and completes; that is the barrier.
 *
 * Delivery: its positions are committed in the same act as everything the epoch has sent, so each record counts exactly
 * once. It pauses while any operator is full. Memory: the task's read queue, bounded by its high-water mark.
 *
 * In a world with nothing configured the topic is one of the embedded log.
 *
 * @throws TidemarkError `invalid-argument`; while running `no-committed-offset`, `data-removed`, `system-unreachable`
 * @example fromKafka(context, { topic: 'input-topic', groupId: 'reconcile-group', startFrom: committedOffsets('earliest') })
 */
export function fromKafka(context: PipelineContext, options: FromKafkaOptions): Observable<StreamRecord> {
  const { topic, groupId, startFrom = committedOffsets('earliest'), name = 'kafka-source' } = options
  const topics = selectTopics(topic)
  checkText({ operator, option: 'groupId', example: "groupId: 'reconcile-group'" }, groupId)
  checkText({ operator, option: 'name', example: "name: 'kafka-source'" }, name)
  const start: unknown = startFrom
  if (typeof start !== 'object' || start === null || !('kind' in start)) {
    const place = { operator, option: 'startFrom', example: "startFrom: committedOffsets('earliest')" }
    throw invalidArgument(place, start, 'earliest, latest, committedOffsets(…), fromTimestamp(…) or fromOffsets(…)')
  }
  const attempt = operatorContext(context)
  const step = attempt.step({
    kind: operator,
    role: 'source',
    name,
    details: {
      topic: topics.kind === 'topics' ? topics.topics.join(', ') : String(topics.pattern),
      groupId,
      startFrom: startMode.encode(startFrom),
    },
  })
  return attempt.source(step, { topics, groupId, startFrom })
}

function selectTopics(topic: FromKafkaOptions['topic']): TopicSelection {
  const place = { operator, option: 'topic', example: "topic: 'input-topic', ['a', 'b'] or /^orders-/" }
  if (topic instanceof RegExp) return { kind: 'pattern', pattern: topicPattern(topic) }
  const topics = typeof topic === 'string' ? [topic] : [...new Set(topic)]
  const bad = topics.find((name) => !isTopicName(name))
  if (bad !== undefined) throw invalidArgument(place, bad, topicNameRule)
  if (topics.length === 0) throw invalidArgument(place, topics, 'at least one topic')
  return { kind: 'topics', topics }
}
