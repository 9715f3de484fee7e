import type { MonoTypeOperatorFunction } from 'rxjs'
import {
  checkText,
  checkWord,
  invalidArgument,
  isPromise,
  misuse,
  nameOf,
  remedyForRecord,
} from '../src/core/mistakes.ts'
import { operatorContext, type PipelineContext } from '../src/core/context.ts'
import { DeadLetter } from '../src/core/deadLetter.ts'
import { atPosition, TidemarkError } from '../src/core/errors.ts'
import { operate } from '../src/core/operate.ts'
import { outputRecord, type OutputFields, type PartlySinkable, type Sinkable } from '../src/core/outputRecord.ts'
import { StreamRecord, type OutputRecord, isTopicName, topicNameRule } from '../src/core/record.ts'
import { refuseTo, stepOptions, type StepOptions } from '../src/core/stepOptions.ts'
import type { Guarantee } from '../src/core/ports/outputs.ts'

/** What both names of the sink take. */
export interface ToKafkaTransactionalOptions<T> extends OutputFields<T>, StepOptions {
  /** The topic, or which one a record goes to. */
  readonly topic: string | ((record: T) => string)
  /** Begins the transactional id of every task; one per job. Default: the job's name. */
  readonly transactionalIdPrefix?: string
}

export interface ToKafkaOptions<T> extends ToKafkaTransactionalOptions<T> {
  /** Default `exactly-once`. `at-least-once` is sent before the commit and outside of it; `none` is not waited for. */
  readonly guarantee?: Guarantee
}

/** A record whose value is no bytes and no text needs the option that makes them. */
type ValueIfNeeded<T> = [T] extends [Sinkable] ? unknown : Required<Pick<OutputFields<T>, 'value'>>

/**
 * Appends each record to a topic within the epoch's commit, and passes it on unchanged, so that it can be tapped. Key,
 * value, headers and timestamp are the record's own unless an option says otherwise; strings become UTF-8. The partition
 * is murmur2 of the key, round-robin without a key, unless `partition` says otherwise.
 *
 * Delivery: exactly once by default, together with the positions of the input, the state and every other sink of the
 * task; a read_committed reader sees it when the epoch has committed.
 *
 * A record that its topic does not take, by its settings or by the broker's answer, is refused as `record-too-large` or
 * `invalid-output`: too large, no key for a compacted topic, a timestamp, partition, string or per-record topic that cannot
 * be. It goes to `onError` with the source record as it was read, else fails the epoch; refused records are not passed on.
 * Where only the broker knows, the epoch is replayed without the record. A dead letter changes until its topic takes it,
 * and secrets that its error quotes are masked.
 *
 * Memory: what is sent counts for the epoch's byte limit.
 *
 * @throws TidemarkError `invalid-argument`
 * @example toKafka(context, { topic: 'reconcile', transactionalIdPrefix: 'reconcile-tx' })
 */
export function toKafka<T extends PartlySinkable = Sinkable>(
  context: PipelineContext,
  options: ToKafkaOptions<T> & ValueIfNeeded<T>,
): MonoTypeOperatorFunction<T> {
  return append('toKafka', context, options)
}

/**
 * `toKafka`, exactly once and nothing else.
 *
 * @throws TidemarkError `invalid-argument`
 * @example toKafkaTransactional(context, { topic: 'reconcile', transactionalIdPrefix: 'reconcile-tx' })
 */
export function toKafkaTransactional<T extends PartlySinkable = Sinkable>(
  context: PipelineContext,
  options: ToKafkaTransactionalOptions<T> & ValueIfNeeded<T>,
): MonoTypeOperatorFunction<T> {
  return append('toKafkaTransactional', context, options)
}

const guarantees: Readonly<Record<'toKafka' | 'toKafkaTransactional', readonly Guarantee[]>> = {
  toKafka: ['exactly-once', 'at-least-once', 'none'],
  toKafkaTransactional: ['exactly-once'],
}

function append<T extends PartlySinkable>(
  operator: keyof typeof guarantees,
  context: PipelineContext,
  options: ToKafkaOptions<T>,
): MonoTypeOperatorFunction<T> {
  const { topic, transactionalIdPrefix, guarantee = 'exactly-once', onError } = options
  const topicPlace = { operator, option: 'topic', example: "topic: 'reconcile'" }
  if (typeof topic !== 'function' && !isTopicName(topic)) throw invalidArgument(topicPlace, topic, topicNameRule)
  if (transactionalIdPrefix !== undefined) {
    const place = { operator, option: 'transactionalIdPrefix', example: "transactionalIdPrefix: 'reconcile-tx'" }
    checkText(place, transactionalIdPrefix)
  }
  const guaranteePlace = { operator, option: 'guarantee', example: "toKafka with guarantee: 'at-least-once'" }
  checkWord(guaranteePlace, guarantee, guarantees[operator])
  const topics = typeof topic === 'function' ? [] : [topic]
  const attempt = operatorContext(context)
  const step = attempt.step({
    kind: operator,
    role: 'sink',
    ...stepOptions(options),
    details: { topic: topics[0] ?? 'chosen per record', guarantee },
  })
  const sink = attempt.sink(step, { topics, guarantee, transactionalIdPrefix: transactionalIdPrefix ?? null })
  const refuse = refuseTo(attempt, onError)

  const prepare = (record: T): OutputRecord | TidemarkError => {
    if (!(record instanceof StreamRecord || record instanceof DeadLetter)) checkSinkable(operator, record)
    const target = typeof topic === 'function' ? topic(record) : topic
    for (let form = isDeadLetter(record) ? record.masked((text) => context.mask(text)) : record; ;) {
      const output = outputRecord(operator, target, form, options)
      const refusal = output instanceof TidemarkError ? output : sink.refusal(output)
      if (refusal === null) return output
      const other = isDeadLetter(form) ? form.answerTo(refusal, context.clock.now()) : null
      if (other === null) return refusal
      form = other
    }
  }

  return (source$) =>
    operate(step, source$, (destination) => ({
      next(record) {
        const output = prepare(record)
        if (!(output instanceof TidemarkError)) {
          sink.send(output)
          destination.next(record)
        } else if (record instanceof StreamRecord) refuse(output, record)
        else throw record instanceof DeadLetter ? atPosition(output, record) : output
      },
    }))
}

/** What is no record of ours may be made by the job, if it has all that a record of a topic needs. */
function checkSinkable(operator: string, record: unknown): void {
  const isSinkable =
    typeof record === 'object' && record !== null && 'key' in record && 'headers' in record && 'timestamp' in record
  if (isSinkable && Array.isArray(record.headers)) return
  const remedy =
    typeof record === 'object' && record !== null && !isPromise(record)
      ? 'Let the function before it keep the record and give it text: map((record) => record.withValue(JSON.stringify(…))).'
      : remedyForRecord(record)
  throw misuse(operator, `it was given ${nameOf(record)} instead of a record. ${remedy}`)
}

/** It has other forms: without secrets, and for topics that do not take it as it is. */
function isDeadLetter<T>(record: T): record is T & {
  masked(mask: (text: string) => string): T
  answerTo(refusal: TidemarkError, nowMs: number): T | null
} {
  return record instanceof DeadLetter
}
