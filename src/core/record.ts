/** Kafka's own mark for a record without a timestamp. */
export const noTimestamp = -1

/** A header: its name and its bytes. Names may repeat; order is kept. */
export type Header = readonly [name: string, value: Buffer | null]

/** Where a record stands in a log. Offsets are safe integers (below 2^53). */
export interface RecordPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** `topic partition@offset`, the spelling that errors, logs and `tidemark explain` share. */
export function formatPosition({ topic, partition, offset }: RecordPosition): string {
  return `${topic} ${String(partition)}@${String(offset)}`
}

/**
 * One record of a topic on its way through a pipeline.
 *
 * `value` is what the operators have made of it so far; `raw` stays the bytes that stand in the topic (null: a
 * tombstone), the ones hashes and dead letters are taken from. `timestamp` is the record's own, in ms since 1970.
 */
export class StreamRecord<V = Buffer | null> implements RecordPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly headers: readonly Header[]
  readonly raw: Buffer | null
  readonly value: V

  constructor(
    topic: string,
    partition: number,
    offset: number,
    timestamp: number,
    key: Buffer | null,
    headers: readonly Header[],
    raw: Buffer | null,
    value: V,
  ) {
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.timestamp = timestamp
    this.key = key
    this.headers = headers
    this.raw = raw
    this.value = value
  }

  /** The same record with another value; everything else is kept. */
  withValue<U>(value: U): StreamRecord<U> {
    return new StreamRecord(
      this.topic,
      this.partition,
      this.offset,
      this.timestamp,
      this.key,
      this.headers,
      this.raw,
      value,
    )
  }
}

/** A record as it is appended to a topic. `partition` null: chosen by murmur2 of the key, round-robin without a key. */
export interface OutputRecord {
  readonly topic: string
  readonly partition: number | null
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
  /** ms since 1970. */
  readonly timestamp: number
}

/** What is stored of a record in its partition. */
export type RecordContent = Pick<OutputRecord, 'timestamp' | 'key' | 'value' | 'headers'>

/** What a log takes for a header besides its name and value, at most: their lengths. A record may have thousands of them. */
const headerOverheadBytes = 10

/** The bytes a record counts for in limits: key, value and headers, without the log's own overhead for the record itself. */
export function recordBytes(record: {
  readonly key: Buffer | null
  readonly headers: readonly Header[]
  readonly value: Buffer | null
}): number {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const [name, value] of record.headers) {
    bytes += Buffer.byteLength(name) + (value?.length ?? 0) + headerOverheadBytes
  }
  return bytes
}

/** What a topic may be called, in words. */
export const topicNameRule = "a topic name: 1 to 249 of the characters A-Z a-z 0-9 . _ -, and not '.' or '..'"

const allowed = /^[A-Za-z0-9._-]{1,249}$/

/** Whether a log can have a topic of this name; Kafka's own rule. */
export function isTopicName(name: unknown): name is string {
  return typeof name === 'string' && allowed.test(name) && name !== '.' && name !== '..'
}
