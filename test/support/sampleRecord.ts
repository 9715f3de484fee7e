import { StreamRecord, type Header } from '../../src/core/record.ts'

export interface SampleRecordOptions {
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  readonly timestamp?: number
  readonly key?: string | Buffer | null
  readonly headers?: readonly Header[]
}

/** A record as a source emits it: the value's bytes are both `raw` and `value`. */
export function sampleRecord(value: string | Buffer | null, options: SampleRecordOptions = {}): StreamRecord {
  const { topic = 'input-topic', partition = 0, offset = 0, timestamp = 1_700_000_000_000, headers = [] } = options
  const { key = null } = options
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  const keyBytes = typeof key === 'string' ? Buffer.from(key) : key
  return new StreamRecord(topic, partition, offset, timestamp, keyBytes, headers, bytes, bytes)
}

/** Records 0 to `count - 1` whose value is their offset. */
export function numberedRecords(count: number): StreamRecord<number>[] {
  return Array.from({ length: count }, (_, offset) => sampleRecord(String(offset), { offset }).withValue(offset))
}
