import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { StreamRecord, formatPosition, type RecordPosition } from '../../../core/record.ts'
import { UnreadRecord } from '../../../core/unreadRecord.ts'
import { unreadableBatch, type Batch } from './batchHeader.ts'
import { codecName, unpack, unpackFailure, type Soon, type Unpacking } from './compression.ts'
import { copied, headerCount, owned, ownMemory, headersOf, sliced } from './recordParts.ts'
import { ResponseReader } from './responseReader.ts'

/** What a reader of batches can hold and will pass. */
export interface ReadLimits {
  /** A record that takes more is not read. */
  readonly maxRecordBytes: number
  /** Whether what cannot be read at this offset is to be passed. */
  skips(offset: number): boolean
  readonly soon: Soon
}

/** A record under way that is larger than what comes at once. */
interface LargeRecord {
  readonly length: number
  /** Null until there is room for it. */
  bytes: Buffer | null
  filled: number
}

/** The last ms that a Date has; a producer may write any 64 bits. */
const maxTimestampMs = 8_640_000_000_000_000
const nothing = Buffer.alloc(0)
/** Of the length in front of a record, a signed 32-bit number. */
const maxLengthBytes = 5
/** Attributes, time and offset of a record, at most. */
const maxHeadBytes = 21
/** A record of no more is put together with what comes behind it. */
const smallBytes = 64 * 1024
/** What a header takes here besides its name and value; a record may have millions of empty ones. */
const headerBytes = 96
/** What a record takes besides its bytes. */
const recordOverheadBytes = 200

/**
 * The records of one batch, decoded as they are asked for from what is unpacked as it is needed. At most one piece of it, and
 * one record, is held. Keys and headers are copied, and values too but where the memory is the record's own, or nearly
 * all of it: a slice would keep the rest alive.
 */
export class BatchRecords {
  readonly #batch: Batch
  readonly #from: number
  readonly #limits: ReadLimits
  /** What comes behind `#bytes`; null: nothing. */
  #more: Unpacking | null = null
  /** Unpacked; read up to `#at`. */
  #bytes: Buffer = nothing
  #at = 0
  /** Of `#bytes`. */
  #reader = new ResponseReader(nothing, 'it')
  #read = 0
  #lastOffset: number
  /** A record that is larger than what comes at once. */
  #large: LargeRecord | null = null
  #beginsLarge = false
  /** A record that is too large to be held, and what is left of it. */
  #passed: { readonly record: UnreadRecord | null; left: number } | null = null

  /** A record that is not read has just been added. */
  #isUnread = false

  private constructor(batch: Batch, from: number, limits: ReadLimits) {
    // The body is a part of a whole answer, which it would keep alive.
    this.#batch = { ...batch, body: nothing }
    this.#from = from
    this.#limits = limits
    this.#lastOffset = batch.baseOffset - 1
  }

  /** @param from records before this offset are left out. */
  static async open(batch: Batch, from: number, limits: ReadLimits): Promise<BatchRecords> {
    const records = new BatchRecords(batch, from, limits)
    const { codec, body, place } = batch
    if (codec === 0) {
      records.#begin(body)
      return records
    }
    if (codecName(codec) === null) {
      throw new TidemarkError(
        'unsupported-batch',
        `The batch at ${formatPosition(place)} is compressed with codec ${String(codec)}, which is not one of Kafka's: none, gzip, snappy, lz4, zstd`,
        { details: { ...place, next: batch.lastOffset + 1 } },
      )
    }
    try {
      const unpacked = await unpack(codec, body, limits.soon)
      if (Buffer.isBuffer(unpacked)) records.#begin(unpacked)
      else records.#more = unpacked
    } catch (error) {
      throw records.#unreadable(unpackFailure(codec, error), error)
    }
    return records
  }

  get leaderEpoch(): number {
    return this.#batch.leaderEpoch
  }

  get done(): boolean {
    return this.#read >= this.#batch.count && this.#passed === null
  }

  /** Whether it comes in pieces, which have to be waited for. */
  get inPieces(): boolean {
    return this.#more !== null
  }

  /** Where reading goes on behind what was decoded. */
  get next(): number {
    return (this.done ? this.#batch.lastOffset : Math.max(this.#lastOffset, this.#from - 1)) + 1
  }

  /** True once when a large record has begun, before it is unpacked. */
  beginsLarge(): boolean {
    const begins = this.#beginsLarge
    this.#beginsLarge = false
    return begins
  }

  /** Of the large record that comes next, or of all that is unpacked already. */
  get pendingBytes(): number {
    return this.#large?.length ?? this.#bytes.length - this.#at
  }

  /** What it holds. */
  get heldBytes(): number {
    return this.#bytes.length + (this.#large?.bytes?.length ?? 0) + (this.#more?.heldBytes ?? 0)
  }

  /**
   * Decodes records into `records` until they take `roomBytes`, the batch ends, or more must be unpacked. A record that is not
   * read ends it too. Returns what they take.
   */
  decode(records: StreamRecord[], roomBytes: number): number {
    let bytes = 0
    try {
      while (!this.done && bytes < roomBytes) {
        const taken = this.#decodeOne(records)
        if (taken === null) break
        bytes += taken
        if (this.#isUnread) break
      }
      this.#isUnread = false
      return bytes
    } catch (error) {
      throw this.#unreadable(reasonOf(error), error)
    }
  }

  /** Unpacks a piece more. */
  async fill(): Promise<void> {
    if (this.#large !== null && this.#large.bytes === null) this.#beginLarge(this.#large)
    // A piece stands until the next one is asked for.
    const left = Buffer.from(this.#bytes.subarray(this.#at))
    let piece: Buffer | null
    try {
      piece = (await this.#more?.next()) ?? null
    } catch (error) {
      throw this.#unreadable(unpackFailure(this.#batch.codec, error), error)
    }
    if (piece === null) throw this.#unreadable('it ends too early')
    if (this.#passed !== null) piece = this.#pass(this.#passed, piece)
    else if (this.#large?.bytes) piece = this.#gather(this.#large, this.#large.bytes, piece)
    this.#begin(left.length === 0 ? piece : Buffer.concat([left, piece]))
  }

  /** Copies what is a part of a whole answer, so that the answer may go. */
  keep(): void {
    if (this.#batch.codec === 0) this.#begin(ownMemory(this.#bytes.subarray(this.#at)))
  }

  close(): void {
    this.#more?.close()
  }

  #begin(bytes: Buffer): void {
    this.#bytes = bytes
    this.#at = 0
    this.#reader = new ResponseReader(bytes, 'it')
  }

  #pass(passed: { left: number }, piece: Buffer): Buffer {
    const part = Math.min(passed.left, piece.length)
    passed.left -= part
    return piece.subarray(part)
  }

  #beginLarge(large: LargeRecord): void {
    large.bytes = Buffer.allocUnsafeSlow(large.length)
    large.filled = this.#bytes.copy(large.bytes, 0, this.#at)
    this.#at = this.#bytes.length
  }

  #gather(large: LargeRecord, bytes: Buffer, piece: Buffer): Buffer {
    const part = Math.min(large.length - large.filled, piece.length)
    piece.copy(bytes, large.filled, 0, part)
    large.filled += part
    return piece.subarray(part)
  }

  /** Null when more must be unpacked first; else what it takes, 0 where nothing came of it. */
  #decodeOne(records: StreamRecord[]): number | null {
    if (this.#passed !== null) {
      if (this.#passed.left > 0) return null
      const { record } = this.#passed
      this.#passed = null
      return this.#add(records, record)
    }
    if (this.#large !== null) {
      const { length, bytes, filled } = this.#large
      if (bytes === null || filled < length) return null
      this.#large = null
      return this.#addRecord(records, new ResponseReader(bytes, 'it'), { length, end: length, isOwn: true })
    }
    const start = this.#at
    const length = this.#length()
    if (length === null) return this.#starved(start)
    const there = this.#bytes.length - this.#at
    if (length > this.#limits.maxRecordBytes) {
      if (there < Math.min(length, maxHeadBytes)) return this.#starved(start)
      this.#beginToPass(length)
      return 0
    }
    if (length <= there) {
      const end = this.#at + length
      this.#reader.moveTo(this.#at)
      const takes = this.#addRecord(records, this.#reader, { length, end, isOwn: false })
      this.#at = end
      return takes
    }
    if (length <= smallBytes || this.#more === null) return this.#starved(start)
    this.#large = { length, bytes: null, filled: 0 }
    this.#beginsLarge = true
    return null
  }

  #starved(start: number): null {
    if (this.#more === null) throw new Error('it ends too early')
    this.#at = start
    return null
  }

  /** Of the next record; null where it is not whole. */
  #length(): number | null {
    const bytes = this.#bytes
    let at = this.#at
    let value = 0
    let factor = 1
    for (const end = at + maxLengthBytes; at < end; factor *= 0x80) {
      const byte = bytes[at]
      if (byte === undefined) return null
      at += 1
      if (byte >= 0x80) {
        value += (byte - 0x80) * factor
        continue
      }
      value += byte * factor
      // Zigzag: odd ones are negative.
      if (value % 2 !== 0 || value > 0xffff_ffff) break
      this.#at = at
      return value / 2
    }
    throw new Error('the length of a record is none')
  }

  /** A record that is too large is known by its head; the rest of it passes by. */
  #beginToPass(length: number): void {
    const head = new ResponseReader(this.#bytes.subarray(this.#at), '')
    const { offset, timestamp } = this.#head(head)
    const part = Math.min(length, this.#bytes.length - this.#at)
    this.#at += part
    const record = offset < this.#from ? null : this.#tooLarge(offset, timestamp, length)
    this.#passed = { record, left: length - part }
    if (length > part && this.#more === null) throw new Error('it ends too early')
  }

  /** Attributes, time and offset; the offset is noted when the record is done. */
  #head(record: ResponseReader): { readonly offset: number; readonly timestamp: number } {
    const { baseOffset, lastOffset, baseTimestamp, appendTime } = this.#batch
    record.int8()
    const delta = record.varint()
    const timestamp = appendTime ?? baseTimestamp + delta
    const offset = baseOffset + record.varint()
    if (offset <= this.#lastOffset || offset > lastOffset) throw new Error('its offsets are not in order')
    return { offset, timestamp: Math.min(maxTimestampMs, Math.max(-1, timestamp)) }
  }

  #addRecord(
    records: StreamRecord[],
    reader: ResponseReader,
    { length, end, isOwn }: { readonly length: number; readonly end: number; readonly isOwn: boolean },
  ): number {
    const { topic, partition } = this.#batch.place
    const { offset, timestamp } = this.#head(reader)
    if (offset < this.#from) {
      this.#note(offset)
      return 0
    }
    const key = copied(reader)
    const value = isOwn ? sliced(reader) : this.#batch.codec === 0 ? owned(reader) : copied(reader)
    const count = headerCount(reader)
    const takes = length + count * headerBytes
    if (takes > this.#limits.maxRecordBytes) return this.#add(records, this.#tooLarge(offset, timestamp, takes))
    const headers = headersOf(reader, count)
    if (reader.at > end) throw new Error('a record is longer than it says')
    this.#note(offset)
    records.push(new StreamRecord(topic, partition, offset, timestamp, key, headers, value, value))
    return takes + recordOverheadBytes
  }

  #tooLarge(offset: number, timestamp: number, bytes: number): UnreadRecord {
    const { topic, partition } = this.#batch.place
    const position = { topic, partition, offset }
    const error = tooLarge(position, bytes, this.#limits.maxRecordBytes)
    return new UnreadRecord(error, {
      ...position,
      next: offset + 1,
      timestamp,
      bytes,
      skipped: this.#limits.skips(offset),
    })
  }

  #add(records: StreamRecord[], record: UnreadRecord | null): number {
    if (record === null) {
      this.#read += 1
      return 0
    }
    this.#note(record.offset)
    this.#isUnread = true
    records.push(record)
    return recordOverheadBytes
  }

  #note(offset: number): void {
    this.#read += 1
    this.#lastOffset = offset
  }

  /** Whatever is wrong with it begins at the first record that was not decoded, and ends with the batch. */
  #unreadable(problem: string, cause?: unknown): TidemarkError {
    if (cause instanceof TidemarkError && cause.code === 'unreadable-input') return cause
    const { place, lastOffset } = this.#batch
    const offset = Math.max(this.#lastOffset + 1, this.#from)
    return unreadableBatch({ ...place, offset }, Math.max(lastOffset, offset) + 1, problem, cause)
  }
}

function tooLarge(position: RecordPosition, bytes: number, maxBytes: number): TidemarkError {
  return new TidemarkError(
    'input-too-large',
    `Record ${formatPosition(position)} takes ${String(bytes)} bytes, unpacked, and at most ${String(maxBytes)} are taken (kafka.read.ahead.process.bytes)`,
    { details: { ...position, bytes, maxBytes } },
  )
}

/** Of what a reader has thrown: the position is said before it. */
function reasonOf(error: unknown): string {
  return messageOf(error).replace(/^(it|) ?cannot be read: /, '')
}
