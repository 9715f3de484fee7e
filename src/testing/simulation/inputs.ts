import { TidemarkError } from '../../core/errors.ts'
import { formatPosition, type OutputRecord, type StreamRecord } from '../../core/record.ts'
import { MemoryTopic, type PlacedRecord } from '../world/memoryTopic.ts'
import { record, testTopics, type TestTopics } from '../kit/testSource.ts'

/** Names an input record's position in its headers, so that an output that kept them says where it comes from. */
export const positionHeader = 'simulation-position'

/** An input record and when it is written. */
export interface Arrival {
  readonly afterMs: number
  readonly record: OutputRecord
  /** `topic partition@offset`. */
  readonly position: string
}

/** Everything a job is given to read. */
export interface SimulatedInputs {
  /** In order of time. */
  readonly arrivals: readonly Arrival[]
  /** Number of records by topic and partition. */
  readonly ends: ReadonlyMap<string, readonly number[]>
}

export interface InputOptions {
  /** Partitions of topics that do not say how many. */
  readonly partitions: number
  readonly perSecond: number
  readonly startMs: number
}

/**
 * Lays the inputs out in time, the topics beside each other, and gives every record its position as a header.
 *
 * @throws `invalid-argument` for EOF, ABORT and PAUSE: what goes wrong and when is the simulation's to say.
 */
export function layOut(topics: TestTopics, { partitions, perSecond, startMs }: InputOptions): SimulatedInputs {
  const arrivals: Arrival[] = []
  const ends = new Map<string, number[]>()
  for (const { name, runs, options } of testTopics(topics)) {
    const topic = new MemoryTopic(name, { partitions, ...options })
    const counts = topic.partitions.map(() => 0)
    ends.set(name, counts)
    for (const [index, item] of runs.flat().entries()) {
      if (runs.length > 1 || (typeof item !== 'string' && item.kind !== 'record')) throw marked(name)
      const { value, key, headers, partition, timestamp } = typeof item === 'string' ? record(item) : item
      const afterMs = Math.floor((index * 1_000) / perSecond)
      const placed: PlacedRecord = topic.place({
        topic: name,
        partition,
        key,
        value,
        headers,
        timestamp: timestamp ?? startMs + afterMs,
      })
      const offset = counts[placed.partition] ?? 0
      counts[placed.partition] = offset + 1
      const position = formatPosition({ topic: name, partition: placed.partition, offset })
      arrivals.push({
        afterMs,
        position,
        record: withPosition({ ...placed.record, partition: placed.partition }, position),
      })
    }
  }
  arrivals.sort((a, b) => a.afterMs - b.afterMs)
  return { arrivals, ends }
}

/** A record that names a position as its own. */
export function withPosition(written: OutputRecord, position: string): OutputRecord {
  const others = written.headers.filter(([name]) => name !== positionHeader)
  return { ...written, headers: [...others, [positionHeader, Buffer.from(position)]] }
}

/** The input position of an output that has kept the headers of its record; null for any other. */
export function positionInHeaders({ headers }: Pick<StreamRecord<unknown>, 'headers'>): string | null {
  return headers.findLast(([name]) => name === positionHeader)?.[1]?.toString() ?? null
}

/** The input position of a dead letter, by its source's names, and its code; null for any other record. */
export function deadLetterPosition({
  headers,
}: Pick<StreamRecord<unknown>, 'headers'>): { readonly position: string; readonly code: string } | null {
  const text = (name: string): string | undefined => headers.findLast(([own]) => own === name)?.[1]?.toString()
  const code = text('error-code')
  const topic = text('source-topic')
  if (code === undefined || topic === undefined) return null
  const position = formatPosition({
    topic,
    partition: Number(text('source-partition')),
    offset: Number(text('source-offset')),
  })
  // Of two topics that had one name, its record knows which.
  const again = againPosition(position)
  return { position: positionInHeaders({ headers }) === again ? again : position, code }
}

function marked(topic: string): TidemarkError {
  return new TidemarkError(
    'invalid-argument',
    `Topic ${topic} of a simulation holds EOF, ABORT or PAUSE. Those are for runJob; a simulation decides itself what goes wrong and when: leave them out, or use runJob.`,
  )
}

/** What stands behind the name of a topic that was deleted and made anew; no topic's name has a space. */
const mark = ' again'

/** What the positions of such a topic begin with. */
export function againTopic(topic: string): string {
  return `${topic}${mark}`
}

/** The name of a position, `topic partition@offset`, in the second topic of that name. */
export function againPosition(position: string): string {
  return position.replace(' ', `${mark} `)
}

/** The position of the same record in the first one. */
export function firstPosition(position: string): string {
  return position.replace(`${mark} `, ' ')
}
