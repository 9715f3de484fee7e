import { TidemarkError } from '../../../core/errors.ts'
import { formatPosition, type RecordPosition } from '../../../core/record.ts'
import { crc32c } from '../../../codecs/crc32c.ts'
import { ResponseReader } from './responseReader.ts'

const currentMagic = 2
const compressionMask = 0x07
const logAppendTimeBit = 0x08
const transactionalBit = 0x10
const controlBit = 0x20
/** The base offset and the length, which counts from there. */
const lengthEndsAt = 12
/** Up to the records. */
export const batchHeaderBytes = 61
const attributesAt = 21
const abortMarker = 0
const commitMarker = 1

/** A batch as its header describes it. */
export interface Batch {
  /** Of its first record that is wanted. */
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
  /** A slice of what was fetched. */
  readonly body: Buffer
}

/** Bytes of the batch at `at`; null where it is cut off. */
export function wholeBatchBytes(bytes: Buffer, at: number): number | null {
  if (bytes.length - at < lengthEndsAt) return null
  const size = lengthEndsAt + bytes.readInt32BE(at + 8)
  return size <= attributesAt || size > bytes.length - at ? null : size
}

/** Whether so much is there that the first batch is not whole only where its length is damaged: brokers cut the last one. */
export function isLengthDamaged(bytes: Buffer): boolean {
  return bytes.length >= lengthEndsAt && wholeBatchBytes(bytes, 0) === null
}

export function baseOffsetOf(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

/**
 * Reads the header of one whole batch; `place` is where it is wanted from.
 *
 * @throws TidemarkError `damaged-batch` where the checksum is another one, `unsupported-batch`, `unreadable-input`; each with
 *   `next` in its details, where reading goes on for somebody who passes it.
 */
export function readBatch(bytes: Buffer, place: RecordPosition): Batch {
  const reader = new ResponseReader(bytes, whatBatch(place))
  const baseOffset = reader.int64()
  reader.take(4)
  const leaderEpoch = reader.int32()
  const magic = reader.int8()
  if (magic !== currentMagic) {
    throw new TidemarkError(
      'unsupported-batch',
      `${whatBatch(place)} has message format ${String(magic)}, of Kafka before 0.11, which is not supported: copy the topic with a newer producer`,
      { details: { ...place, next: place.offset + 1 } },
    )
  }
  if (bytes.length < batchHeaderBytes) throw damagedBatch(place, place.offset + 1, 'it is shorter than its header')
  const checksum = reader.int32() >>> 0
  const attributes = reader.int16()
  const lastOffsetDelta = reader.int32()
  const baseTimestamp = reader.int64()
  const maxTimestamp = reader.int64()
  const producerId = reader.bigInt64()
  reader.take(6)
  const count = reader.int32()
  const lastOffset = baseOffset + lastOffsetDelta
  if (crc32c(bytes.subarray(attributesAt)) !== checksum) {
    // What it says of itself is believed only where two of its fields agree.
    const isWhole = lastOffsetDelta >= 0 && count === lastOffsetDelta + 1
    const next = isWhole ? Math.max(lastOffset, place.offset) + 1 : place.offset + 1
    throw damagedBatch(place, next, 'its checksum (CRC-32C) is another one')
  }
  if (lastOffsetDelta < 0 || count < 0 || count > lastOffsetDelta + 1) {
    const problem = `it says to have ${String(count)} records at ${String(lastOffsetDelta + 1)} offsets`
    throw unreadableBatch(place, Math.max(lastOffset, place.offset) + 1, problem)
  }
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
export function markerOf({ place, body, count, lastOffset }: Batch): 'abort' | 'commit' | 'other' {
  if (count < 1) return 'other'
  const reader = new ResponseReader(body, whatBatch(place))
  try {
    reader.varint()
    reader.int8()
    reader.varint()
    reader.varint()
    if (reader.varint() < 4) return 'other'
    reader.int16()
    const type = reader.int16()
    return type === abortMarker ? 'abort' : type === commitMarker ? 'commit' : 'other'
  } catch (error) {
    throw unreadableBatch(place, Math.max(lastOffset, place.offset) + 1, 'it is a marker that ends too early', error)
  }
}

export function damagedBatch(place: RecordPosition, next: number, problem: string): TidemarkError {
  return new TidemarkError('damaged-batch', `${whatBatch(place)} is damaged: ${problem}`, {
    details: { ...place, next },
  })
}

/** What cannot be read at a position, although it is what its writer has written; reading goes on at `next` at best. */
export function unreadableBatch(place: RecordPosition, next: number, problem: string, cause?: unknown): TidemarkError {
  const { topic, partition, offset } = place
  return new TidemarkError(
    'unreadable-input',
    `${whatBatch(place)} cannot be read: ${problem}. Its checksum is right, so this is what its producer has written. What cannot be read is passed, once, by --skip ${topic}:${String(partition)}@${String(offset)}, as a dead letter with its position${next > offset + 1 ? `; reading goes on at ${String(next)}` : ''}`,
    { details: { topic, partition, offset, next }, cause },
  )
}

function whatBatch(place: RecordPosition): string {
  return `The batch at ${formatPosition(place)}`
}
