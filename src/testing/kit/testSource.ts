import { TidemarkError } from '../../core/errors.ts'
import type { Header, OutputRecord } from '../../core/record.ts'
import type { MemoryLog } from '../world/memoryLog.ts'
import type { MemoryTopicOptions } from '../world/memoryTopic.ts'
import type { SourceMark } from './sourceMark.ts'

/** What a test record may say besides its value. */
export interface TestRecordFields {
  /** Text or bytes; default: no key. */
  readonly key?: string | Buffer | null
  readonly headers?: readonly (readonly [name: string, value: string | Buffer | null])[]
  /** ms since 1970; default: the clock when it is written. */
  readonly timestamp?: number
  /** Default: murmur2 of the key, round-robin from 0 without one. */
  readonly partition?: number
}

/** A record to be written to a test topic. */
export interface TestRecord extends Omit<OutputRecord, 'topic' | 'timestamp'> {
  readonly kind: 'record'
  readonly timestamp: number | null
}

/** An item of a test topic: a text is a record with that value and no key. */
export type TestItem = string | TestRecord | SourceMark

/** A record of a test topic. A text is written as UTF-8, an object or array as its JSON text; null is a tombstone. */
export function record(value: string | Buffer | object | null, fields: TestRecordFields = {}): TestRecord {
  const content = typeof value === 'string' || value === null || Buffer.isBuffer(value) ? value : JSON.stringify(value)
  return {
    kind: 'record',
    value: bytesOf(content),
    key: bytesOf(fields.key ?? null),
    headers: (fields.headers ?? []).map(([name, text]): Header => [name, bytesOf(text)]),
    timestamp: fields.timestamp ?? null,
    partition: fields.partition ?? null,
  }
}

/** A topic with its data, written run by run. */
export interface TestTopic {
  readonly name: string
  /** Items up to each EOF. */
  readonly runs: readonly (readonly Exclude<TestItem, { kind: 'eof' }>[])[]
  readonly options: MemoryTopicOptions
}

/**
 * A topic whose data holds the events of a test, so that a crash and its recovery are one readable list:
 *
 *     testTopic('input', ['a', 'b', ABORT, record('c', { key: 'k' }), PAUSE(1_000), 'd', EOF, 'e'])
 *
 * Here the process dies when a and b have been read and not yet committed; a new one reads a, b and c, then nothing for a
 * second, then d, and ends. `resume()` of the run writes and reads e.
 *
 * A topic has one partition unless the options say more, so the order of the items is the order in which they are read.
 *
 * @throws `invalid-argument` for a pause that is not a positive number of ms.
 */
export function testTopic(name: string, items: readonly TestItem[], options: MemoryTopicOptions = {}): TestTopic {
  const runs: Exclude<TestItem, { kind: 'eof' }>[][] = [[]]
  for (const item of items) {
    if (typeof item !== 'string' && item.kind === 'pause' && !(item.ms > 0 && Number.isFinite(item.ms))) {
      throw new TidemarkError(
        'invalid-argument',
        `PAUSE(${String(item.ms)}) in topic ${name}: give it a positive number of ms.`,
      )
    }
    if (typeof item !== 'string' && item.kind === 'eof') runs.push([])
    else runs.at(-1)?.push(item)
  }
  return { name, runs, options }
}

/** Topics as a test gives them: items by topic, or `testTopic`s. */
export type TestTopics = Readonly<Record<string, readonly TestItem[]>> | readonly TestTopic[]

/** The topics that a test gives; `options` are of those that it gives as items. */
export function testTopics(topics: TestTopics, options: MemoryTopicOptions = {}): readonly TestTopic[] {
  return isList(topics) ? topics : Object.entries(topics).map(([name, items]) => testTopic(name, items, options))
}

function isList(topics: TestTopics): topics is readonly TestTopic[] {
  return Array.isArray(topics)
}

/** Writes what one run of a topic holds to the log; `timestamp` for records that have none of their own. */
export function writeRun(log: MemoryLog, { name, runs, options }: TestTopic, run: number, timestamp: number): void {
  const topic = log.ensureTopic(name, options)
  let last = topic.partition(0)
  for (const item of runs[run] ?? []) {
    if (typeof item !== 'string' && item.kind !== 'record') {
      last.marks.push({ offset: last.range.end, mark: item, untilMs: null, spent: false })
      continue
    }
    const { value, key, headers, partition, timestamp: own } = typeof item === 'string' ? record(item) : item
    const placed = topic.place({ topic: name, value, key, headers, partition, timestamp: own ?? timestamp })
    last = topic.partition(placed.partition)
    last.append(placed.record)
  }
  for (const partition of topic.partitions) partition.announce()
}

function bytesOf(text: string | Buffer | null): Buffer | null {
  return typeof text === 'string' ? Buffer.from(text) : text
}
