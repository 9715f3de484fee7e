import { TidemarkError } from '../../../core/errors.ts'
import { StreamRecord, formatPosition, type Header, type RecordPosition } from '../../../core/record.ts'
import { AbortedTransactions, type AbortedTransaction } from './abortedTransactions.ts'
import { decompress } from './compression.ts'
import { crc32c } from '../../../codecs/crc32c.ts'
import { ResponseReader } from './responseReader.ts'

const currentMagic = 2
const compressionMask = 0x07
const logAppendTimeBit = 0x08
const transactionalBit = 0x10
const controlBit = 0x20
/** The base offset and the length, which counts from there. */
const lengthEndsAt = 12
const attributesAt = 21
const abortMarker = 0
const commitMarker = 1

/** The last ms that a Date has; a producer may write any 64 bits. */
const maxTimestampMs = 8_640_000_000_000_000
const noHeaders: readonly Header[] = []

/** What a fetch brought of one partition. */
export interface FetchedBatches {
  readonly topic: string
  readonly partition: number
  /** The offset that was asked for; the first batch may begin before it. */
  readonly offset: number
  readonly bytes: Buffer
  /** Null: aborted records are wanted as well. */
  readonly aborted: readonly AbortedTransaction[] | null
}

/** The records of a fetch, and where to fetch next. */
export interface DecodedBatches {
  readonly records: readonly StreamRecord[]
  /** Behind the last whole batch, whatever compaction, markers and aborted transactions have left of it. */
  readonly next: number
  /** Of the last batch: which leader had taken it. Null where no batch was brought. */
  readonly leaderEpoch: number | null
}

/**
 * Decodes what a fetch brought: committed records from the asked offset on. A batch that is cut off at the end is left to
 * the next fetch. Keys and values are copied, because slices would keep the whole response alive.
 *
 * @throws `damaged-batch` where a checksum is not that of its batch.
 */
export async function decodeBatches(fetched: FetchedBatches): Promise<DecodedBatches> {
  const { topic, partition, bytes, aborted } = fetched
  const filter = aborted === null ? null : new AbortedTransactions(aborted)
  const records: StreamRecord[] = []
  let leaderEpoch: number | null = null
  let next = fetched.offset
  let at = 0
  while (bytes.length - at >= lengthEndsAt) {
    const size = lengthEndsAt + bytes.readInt32BE(at + 8)
    if (size <= attributesAt || size > bytes.length - at) break
    const place = {
      topic,
      partition,
      offset: Math.max(next, bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)),
    }
    const batch = readHeader(bytes.subarray(at, at + size), place)
    at += size
    const marker = batch.control ? markerOf(batch) : null
    const { producerId, lastOffset, transactional } = batch
    const dropped = filter?.covers({ producerId, lastOffset, transactional, marker }) ?? false
    if (marker === null && !dropped) await appendRecords(records, batch, fetched)
    next = Math.max(next, lastOffset + 1)
    if (batch.leaderEpoch >= 0) leaderEpoch = batch.leaderEpoch
  }
  return { records, next, leaderEpoch }
}

interface Batch {
  readonly place: RecordPosition
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly codec: number
  readonly transactional: boolean
  readonly control: boolean
  readonly baseTimestamp: number
  /** The timestamp of all records where the broker stamps them; else null. */
  readonly appendTime: number | null
  readonly producerId: bigint
  readonly count: number
  readonly body: Buffer
}

function readHeader(bytes: Buffer, place: RecordPosition): Batch {
  const reader = new ResponseReader(bytes, what(place))
  const baseOffset = reader.int64()
  reader.take(4)
  const leaderEpoch = reader.int32()
  const magic = reader.int8()
  if (magic !== currentMagic) {
    throw new TidemarkError(
      'unsupported-batch',
      `${what(place)} has message format ${String(magic)}, of Kafka before 0.11, which is not supported: copy the topic with a newer producer`,
    )
  }
  const checksum = reader.int32() >>> 0
  if (crc32c(bytes.subarray(attributesAt)) !== checksum) throw damaged(place)
  const attributes = reader.int16()
  const lastOffset = baseOffset + reader.int32()
  const baseTimestamp = reader.int64()
  const maxTimestamp = reader.int64()
  const producerId = reader.bigInt64()
  reader.take(6)
  const count = reader.int32()
  return {
    place,
    baseOffset,
    lastOffset,
    leaderEpoch,
    codec: attributes & compressionMask,
    transactional: (attributes & transactionalBit) !== 0,
    control: (attributes & controlBit) !== 0,
    baseTimestamp,
    appendTime: (attributes & logAppendTimeBit) === 0 ? null : maxTimestamp,
    producerId,
    count,
    body: reader.take(reader.remaining),
  }
}

/** A marker's key is a version and a type; the record in front of it has neither offset nor time that matter. */
function markerOf({ place, body, count }: Batch): 'abort' | 'commit' | 'other' {
  if (count < 1) return 'other'
  const reader = new ResponseReader(body, what(place))
  reader.varint()
  reader.int8()
  reader.varint()
  reader.varint()
  if (reader.varint() < 4) return 'other'
  reader.int16()
  const type = reader.int16()
  return type === abortMarker ? 'abort' : type === commitMarker ? 'commit' : 'other'
}

async function appendRecords(records: StreamRecord[], batch: Batch, fetched: FetchedBatches): Promise<void> {
  const { topic, partition, offset: from } = fetched
  const { place, codec, count } = batch
  if (count === 0) return
  const name = what(place)
  const body = codec === 0 ? batch.body : await decompress(codec, batch.body, name)
  const reader = new ResponseReader(body, name)
  for (let index = 0; index < count; index += 1) {
    const record = new ResponseReader(reader.take(reader.varint()), name)
    record.int8()
    const timestamp = batch.appendTime ?? batch.baseTimestamp + record.varint()
    if (batch.appendTime !== null) record.varint()
    const offset = batch.baseOffset + record.varint()
    if (offset < from) continue
    const key = content(record)
    const value = content(record)
    const headers = readHeaders(record)
    const time = Math.min(maxTimestampMs, Math.max(-1, timestamp))
    records.push(new StreamRecord(topic, partition, offset, time, key, headers, value, value))
  }
}

function readHeaders(record: ResponseReader): readonly Header[] {
  const count = record.varint()
  if (count <= 0) return noHeaders
  const headers: Header[] = []
  for (let index = 0; index < count; index += 1) {
    const name = record.take(record.varint()).toString('utf8')
    headers.push([name, content(record)])
  }
  return headers
}

/** A copy. */
function content(record: ResponseReader): Buffer | null {
  const length = record.varint()
  return length < 0 ? null : Buffer.from(record.take(length))
}

function damaged(place: RecordPosition): TidemarkError {
  return new TidemarkError('damaged-batch', `${what(place)} is damaged: its checksum (CRC-32C) is another one`)
}

function what(place: RecordPosition): string {
  return `The batch at ${formatPosition(place)}`
}
