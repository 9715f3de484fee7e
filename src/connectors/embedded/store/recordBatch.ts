import { crc32 } from 'node:zlib'
import { TidemarkError } from '../../../core/errors.ts'
import { StreamRecord, formatPosition, type Header, type RecordContent } from '../../../core/record.ts'
import { ByteReader, ByteWriter } from './varintBytes.ts'

/**
 * The log is stored as batches of records, one entry each, as Kafka does. An entry's key ends with the LAST offset of
 * the batch, so that a search for "the first key at or after an offset" finds the batch that holds it; its value is
 *
 *     version (1 byte) | crc32 of what follows (4) | largest timestamp (8) | last offset - base offset | count | records
 *     record: offset - base offset | timestamp (8) | key | value | header count | headers (name, value)
 *
 * with whole numbers as varints. The base offset is not stored: a batch is encoded before its offsets are known. Offsets
 * inside a batch may have gaps; a compacted batch keeps its key and its range, or gives its range to the one behind it.
 *
 * Version 1 is a batch without a place: as it is before it is stored, and as the store's format 1 has them. Version 2 is
 * bound to its key: the checksum is combined with the key's, and with the version. Version 3 is that of a range that was lost, in a copy of what
 * a damaged store still held: nobody reads over it without noticing.
 */
const unplaced = 1
const placed = 2
const lostRange = 3
const crcAt = 1
const contentAt = 5

/** One batch stays near these sizes; a single larger record is a batch of its own. */
const maxBatchBytes = 64 * 1024
const maxBatchRecords = 1_000

const noHeaders: readonly Header[] = []

/** A batch as it is stored; it takes `span` offsets. */
export interface SealedBatch {
  readonly value: Buffer
  readonly span: number
}

/** Encodes records of one partition as they come, into batches of bounded size. Keeps only encoded bytes. */
export class StoredBatchBuilder {
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

/** Binds a batch to where it is stored, once, in its own bytes; `mark` is the checksum of its key. */
export function placeBatch(batch: Buffer, mark: number): Buffer {
  if (batch[0] !== unplaced) throw new TidemarkError('broken-invariant', 'A batch is stored twice')
  return placeAs(placed, batch, mark)
}

/** A copy of a stored batch for the same offsets in another store. */
export function replaceBatch(batch: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.from(batch)
  if (batch[0] === unplaced) return placeBatch(copy, to)
  copy.writeUInt32BE((batch.readUInt32BE(crcAt) ^ from ^ to) >>> 0, crcAt)
  return copy
}

/** Stands for offsets whose records are lost. */
export function encodeLostRange(range: OffsetSpan, mark: number): Buffer {
  return placeAs(lostRange, encodeRecordBatch(range, []), mark)
}

function placeAs(version: number, batch: Buffer, mark: number): Buffer {
  batch[0] = version
  batch.writeUInt32BE((batch.readUInt32BE(crcAt) ^ mark ^ versionMark(version)) >>> 0, crcAt)
  return batch
}

/** The checksum is not taken over the version, so it is combined with it: a batch of one is none of another. */
export function versionMark(version: number): number {
  return Math.imul(version - unplaced, 0x9e3779b1)
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
  value[0] = unplaced
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
  /** The checksum of the batch's key; default: it is not placed yet. */
  readonly mark?: number
}

/** A stored batch whose head is read and whose checksum is right; its records are decoded on request. */
export class RecordBatch {
  readonly range: OffsetSpan
  readonly maxTimestamp: number
  readonly count: number
  /** True for a range whose records are lost. */
  readonly isLost: boolean
  readonly #place: BatchPlace
  readonly #reader: ByteReader

  /** Throws `corrupt-store`. */
  constructor(place: BatchPlace, value: Buffer) {
    const { topic, partition, lastOffset, mark = 0 } = place
    const reader = new ByteReader(
      value,
      `The batch that ends at ${formatPosition({ topic, partition, offset: lastOffset })}`,
      contentAt,
    )
    const version = value[0] ?? 0
    if (value.length < contentAt || version < unplaced || version > lostRange)
      throw reader.corrupt('it has another format')
    const bound = version === unplaced ? 0 : mark ^ versionMark(version)
    const crc = (value.readUInt32BE(crcAt) ^ bound) >>> 0
    if (crc32(value.subarray(contentAt)) !== crc) throw reader.corrupt('its checksum does not match')
    this.isLost = version === lostRange
    this.maxTimestamp = reader.readDouble()
    const lastDelta = reader.readVarint()
    this.count = reader.readVarint()
    this.range = { first: lastOffset - lastDelta, last: lastOffset }
    if (this.range.first < 0 || this.count > lastDelta + 1 || (this.isLost && this.count > 0))
      throw reader.corrupt('its offsets cannot be')
    this.#place = place
    this.#reader = reader
  }

  /**
   * Decodes the records with offsets in [from, until) once; keys, values and headers are slices of the stored bytes. Throws
   * `data-removed` where they are lost.
   */
  records(from = 0, until = Infinity): StreamRecord[] {
    const { topic, partition } = this.#place
    const { first, last } = this.range
    if (this.isLost) throw recordsLost(this.#place, this.range)
    const reader = this.#reader
    const records: StreamRecord[] = []
    let previous = first - 1
    for (let left = this.count; left > 0; left -= 1) {
      const offset = first + reader.readVarint()
      if (offset <= previous || offset > last) throw reader.corrupt('its offsets are not in order')
      previous = offset
      const timestamp = reader.readDouble()
      const key = reader.readNullable()
      const value = reader.readNullable()
      const headers = readHeaders(reader)
      if (offset >= until) return records
      if (offset >= from)
        records.push(new StreamRecord(topic, partition, offset, timestamp, key, headers, value, value))
    }
    if (reader.remaining > 0) throw reader.corrupt('bytes are left over')
    return records
  }
}

function recordsLost({ topic, partition }: BatchPlace, { first, last }: OffsetSpan): TidemarkError {
  const next = String(last + 1)
  return new TidemarkError(
    'data-removed',
    `Offsets ${String(first)} to ${String(last)} of topic ${topic}, partition ${String(partition)}, were lost when their store was damaged; this directory is what was salvaged of it. Write them anew if you can, and read on behind them: a job with --reset-offsets offsets:${String(partition)}=${next}, \`topic read\` with --partition ${String(partition)} --from ${next}`,
    { details: { topic, partition, offset: first, until: last + 1 } },
  )
}

function readHeaders(reader: ByteReader): readonly Header[] {
  const count = reader.readVarint()
  if (count === 0) return noHeaders
  const headers: Header[] = []
  for (let left = count; left > 0; left -= 1) headers.push([reader.readText(), reader.readNullable()])
  return headers
}
