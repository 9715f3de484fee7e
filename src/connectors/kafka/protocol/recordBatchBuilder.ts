import type { RecordContent } from '../../../core/record.ts'
import { batchHeaderBytes } from './batchHeader.ts'
import { compress, compressionCodes, type CompressionType } from './compression.ts'
import { crc32c } from '../../../codecs/crc32c.ts'
import { headerCount, headersOf, sliced } from './recordParts.ts'
import { ResponseReader } from './responseReader.ts'

/** Most bytes that a record takes besides its key, value and headers. */
export const builtOverheadBytes = 36

const magic = 2
const transactionalBit = 0x10
const noSequence = -1

/** Who writes a batch, and which of its batches it is. */
export interface BatchProducer {
  readonly id: bigint
  readonly epoch: number
  readonly sequence: number
}

/**
 * Encodes records of one partition as they come, into one batch of Kafka's format 2. It is sized uncompressed, because
 * compressed it is not larger; keeps only the encoded bytes.
 */
export class RecordBatchBuilder {
  #body = Buffer.allocUnsafe(4096)
  #length = 0
  #count = 0
  #baseTimestamp = 0
  #maxTimestamp = -1

  get count(): number {
    return this.#count
  }

  /** Bytes of the batch, uncompressed. */
  get bytes(): number {
    return batchHeaderBytes + this.#length
  }

  /** Bytes the batch would have with this record as well. */
  bytesWith(record: RecordContent): number {
    return this.bytes + sizedRecord(this.#sizeOf(record))
  }

  add(record: RecordContent): void {
    const { timestamp, key, value, headers } = record
    const size = this.#sizeOf(record)
    this.#reserve(sizedRecord(size))
    if (this.#count === 0) this.#baseTimestamp = timestamp
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    this.#varint(size)
    this.#byte(0)
    this.#varint(timestamp - this.#baseTimestamp)
    this.#varint(this.#count)
    this.#content(key)
    this.#content(value)
    this.#varint(headers.length)
    for (const [name, content] of headers) {
      const length = Buffer.byteLength(name)
      this.#varint(length)
      this.#length += this.#body.write(name, this.#length)
      this.#content(content)
    }
    this.#count += 1
  }

  /**
   * The whole batch. Without a producer it is neither transactional nor idempotent. What compression does not make smaller
   * is not compressed, so that no batch is larger than its records.
   */
  async build(producer: BatchProducer | null, wanted: CompressionType): Promise<Buffer> {
    const plain = this.#body.subarray(0, this.#length)
    const packed = wanted === 'none' ? plain : await compress(wanted, plain)
    const isSmaller = packed.length < plain.length
    const records = isSmaller ? packed : plain
    const compression = isSmaller ? wanted : 'none'
    const batch = Buffer.allocUnsafe(batchHeaderBytes + records.length)
    batch.writeBigInt64BE(0n, 0)
    batch.writeInt32BE(batch.length - 12, 8)
    batch.writeInt32BE(-1, 12)
    batch.writeInt8(magic, 16)
    batch.writeInt16BE(compressionCodes[compression] | (producer === null ? 0 : transactionalBit), 21)
    batch.writeInt32BE(this.#count - 1, 23)
    batch.writeBigInt64BE(BigInt(this.#baseTimestamp), 27)
    batch.writeBigInt64BE(BigInt(this.#maxTimestamp), 35)
    batch.writeBigInt64BE(producer?.id ?? -1n, 43)
    batch.writeInt16BE(producer?.epoch ?? -1, 51)
    batch.writeInt32BE(producer?.sequence ?? noSequence, 53)
    batch.writeInt32BE(this.#count, 57)
    records.copy(batch, batchHeaderBytes)
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
    return batch
  }

  /** The records as they were added. Their bytes are the builder's. */
  records(): Iterable<RecordContent> {
    return builtRecords(this.#body.subarray(0, this.#length), this.#baseTimestamp)
  }

  /** Bytes of a record after its length. */
  #sizeOf({ timestamp, key, value, headers }: RecordContent): number {
    const delta = this.#count === 0 ? 0 : timestamp - this.#baseTimestamp
    let size = 1 + varintBytes(delta) + varintBytes(this.#count)
    size += contentBytes(key) + contentBytes(value) + varintBytes(headers.length)
    for (const [name, content] of headers) {
      const length = Buffer.byteLength(name)
      size += varintBytes(length) + length + contentBytes(content)
    }
    return size
  }

  #content(content: Buffer | null): void {
    if (content === null) {
      this.#varint(-1)
      return
    }
    this.#varint(content.length)
    content.copy(this.#body, this.#length)
    this.#length += content.length
  }

  #varint(value: number): void {
    if (Math.abs(value) >= inexact) {
      let rest = bigZigzag(value)
      for (; rest >= 0x80n; rest >>= 7n) this.#byte(Number(rest & 0x7fn) | 0x80)
      this.#byte(Number(rest))
      return
    }
    let rest = zigzag(value)
    while (rest >= 0x80) {
      this.#byte((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.#byte(rest)
  }

  #byte(value: number): void {
    this.#body[this.#length] = value
    this.#length += 1
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#body.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#body.length * 2))
    this.#body.copy(larger, 0, 0, this.#length)
    this.#body = larger
  }
}

/** From here on a number's double has no exact lowest bit, which is the sign. */
const inexact = 2 ** 52

/** Numbers instead of bits, because timestamps have more than 32 of them. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

function bigZigzag(value: number): bigint {
  const whole = BigInt(value)
  return whole < 0n ? -2n * whole - 1n : 2n * whole
}

function varintBytes(value: number): number {
  let bytes = 1
  if (Math.abs(value) >= inexact) {
    for (let rest = bigZigzag(value); rest >= 0x80n; rest >>= 7n) bytes += 1
    return bytes
  }
  for (let rest = zigzag(value); rest >= 0x80; rest /= 0x80) bytes += 1
  return bytes
}

function contentBytes(content: Buffer | null): number {
  return content === null ? 1 : varintBytes(content.length) + content.length
}

function sizedRecord(size: number): number {
  return varintBytes(size) + size
}

/** The records of a batch that is not sent yet, as they were added. Keys and values are slices. */
function* builtRecords(body: Buffer, baseTimestamp: number): Generator<RecordContent, void> {
  const reader = new ResponseReader(body, 'A batch that is to be sent')
  while (reader.remaining > 0) {
    reader.varint()
    reader.int8()
    const timestamp = baseTimestamp + reader.varint()
    reader.varint()
    const key = sliced(reader)
    const value = sliced(reader)
    yield { timestamp, key, value, headers: headersOf(reader, headerCount(reader)) }
  }
}
