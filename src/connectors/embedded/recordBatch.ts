import { crc32 } from 'node:zlib'
import type { TidemarkError } from '../../core/errors.ts'
import { StreamRecord, formatPosition, type Header } from '../../core/record.ts'
import { ByteReader } from './byteReader.ts'
import { ByteWriter } from './byteWriter.ts'

/**
 * The log is stored as batches of records, one entry each, as Kafka does. An entry's key ends with the LAST offset of
 * the batch, so that a search for "the first key at or after an offset" finds the batch that holds it; its value is
 *
 *     version (1 byte) | crc32 of what follows (4) | largest timestamp (8) | last offset - base offset | count | records
 *     record: offset - base offset | timestamp (8) | key | value | header count | headers (name, value)
 *
 * with whole numbers as varints. The base offset is not stored: a batch is encoded before its offsets are known. Offsets
 * inside a batch may have gaps; a compacted batch keeps its key and its range.
 */
const version = 1
const crcAt = 1
const contentAt = 5

/** One batch stays near these sizes; a single larger record is a batch of its own. */
const maxBatchBytes = 64 * 1024
const maxBatchRecords = 1_000

const noHeaders: readonly Header[] = []

/** What is stored of a record, its offset apart. */
export interface RecordContent {
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** A batch as it is stored; it takes `span` offsets. */
export interface SealedBatch {
  readonly value: Buffer
  readonly span: number
}

/** Encodes records of one partition as they come, into batches of bounded size. Keeps only encoded bytes. */
export class RecordBatchBuilder {
  readonly #body = new ByteWriter()
  readonly #sealed: SealedBatch[] = []
  #records = 0
  #maxTimestamp = -Infinity

  add(record: RecordContent): void {
    const size = (record.key?.length ?? 0) + (record.value?.length ?? 0)
    if (this.#records > 0 && (this.#records >= maxBatchRecords || this.#body.length + size > maxBatchBytes))
      this.#seal()
    writeRecord(this.#body, this.#records, record)
    this.#records += 1
    if (record.timestamp > this.#maxTimestamp) this.#maxTimestamp = record.timestamp
  }

  /** Takes the batches out; the builder is empty afterwards. */
  take(): readonly SealedBatch[] {
    if (this.#records > 0) this.#seal()
    return this.#sealed.splice(0)
  }

  #seal(): void {
    const value = assemble(this.#maxTimestamp, this.#records - 1, this.#records, this.#body.written)
    this.#sealed.push({ value, span: this.#records })
    this.#body.reset()
    this.#records = 0
    this.#maxTimestamp = -Infinity
  }
}

/** Encodes what is left of a batch after compaction; it keeps the range of offsets, also without any record. */
export function encodeRecordBatch(range: OffsetSpan, records: readonly StreamRecord[]): Buffer {
  const body = new ByteWriter()
  let maxTimestamp = -Infinity
  for (const record of records) {
    writeRecord(body, record.offset - range.first, record)
    maxTimestamp = Math.max(maxTimestamp, record.timestamp)
  }
  return assemble(maxTimestamp, range.last - range.first, records.length, body.written)
}

function writeRecord(body: ByteWriter, delta: number, { timestamp, key, value, headers }: RecordContent): void {
  body.writeVarint(delta)
  body.writeDouble(timestamp)
  body.writeNullable(key)
  body.writeNullable(value)
  body.writeVarint(headers.length)
  for (const [name, bytes] of headers) {
    body.writeText(name)
    body.writeNullable(bytes)
  }
}

function assemble(maxTimestamp: number, lastDelta: number, count: number, body: Buffer): Buffer {
  const head = new ByteWriter(40)
  head.writeDouble(maxTimestamp)
  head.writeVarint(lastDelta)
  head.writeVarint(count)
  const value = Buffer.allocUnsafe(contentAt + head.length + body.length)
  value[0] = version
  value.set(head.written, contentAt)
  value.set(body, contentAt + head.length)
  value.writeUInt32BE(crc32(value.subarray(contentAt)), crcAt)
  return value
}

/** The offsets a batch covers, both inclusive. */
export interface OffsetSpan {
  readonly first: number
  readonly last: number
}

/** Where a batch stands. */
export interface BatchPlace {
  readonly topic: string
  readonly partition: number
  readonly lastOffset: number
}

/** A stored batch whose head is read and whose checksum is right; its records are decoded on request. */
export class RecordBatch {
  readonly range: OffsetSpan
  readonly maxTimestamp: number
  readonly count: number
  readonly #place: BatchPlace
  readonly #reader: ByteReader

  /** Throws `corrupt-store`. */
  constructor(place: BatchPlace, value: Buffer) {
    const { topic, partition, lastOffset } = place
    const reader = new ByteReader(
      value,
      `The batch that ends at ${formatPosition({ topic, partition, offset: lastOffset })}`,
      contentAt,
    )
    if (value.length < contentAt || value[0] !== version) throw reader.corrupt('it has another format')
    if (crc32(value.subarray(contentAt)) !== value.readUInt32BE(crcAt))
      throw reader.corrupt('its checksum does not match')
    this.maxTimestamp = reader.readDouble()
    const lastDelta = reader.readVarint()
    this.count = reader.readVarint()
    this.range = { first: lastOffset - lastDelta, last: lastOffset }
    if (this.range.first < 0 || this.count > lastDelta + 1) throw reader.corrupt('its offsets cannot be')
    this.#place = place
    this.#reader = reader
  }

  /** Decodes the records with offsets in [from, until) once; keys, values and headers are slices of the stored bytes. */
  records(from = 0, until = Infinity): StreamRecord[] {
    const { topic, partition } = this.#place
    const { first, last } = this.range
    const reader = this.#reader
    const records: StreamRecord[] = []
    let previous = first - 1
    for (let left = this.count; left > 0; left -= 1) {
      const offset = first + reader.readVarint()
      if (offset <= previous || offset > last) throw this.#corrupt('its offsets are not in order')
      previous = offset
      const timestamp = reader.readDouble()
      const key = reader.readNullable()
      const value = reader.readNullable()
      const headers = readHeaders(reader)
      if (offset >= until) return records
      if (offset >= from)
        records.push(new StreamRecord(topic, partition, offset, timestamp, key, headers, value, value))
    }
    if (reader.remaining > 0) throw this.#corrupt('bytes are left over')
    return records
  }

  #corrupt(problem: string): TidemarkError {
    return this.#reader.corrupt(problem)
  }
}

function readHeaders(reader: ByteReader): readonly Header[] {
  const count = reader.readVarint()
  if (count === 0) return noHeaders
  const headers: Header[] = []
  for (let left = count; left > 0; left -= 1) headers.push([reader.readText(), reader.readNullable()])
  return headers
}
