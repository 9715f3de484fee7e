import { TidemarkError } from '../../core/errors.ts'
import type { CheckpointId } from '../../core/ports/task.ts'
import { StreamRecord, type Header } from '../../core/record.ts'
import { isCount, isObject, parseStored } from '../../core/storedJson.ts'

/** A row as it waits in the write-ahead log. */
export interface LoggedRow {
  readonly row: Buffer
  /** The record it came from, for the dead letter of a row that is refused; null: none. */
  readonly origin: StreamRecord<unknown> | null
}

/** A stretch of one sink's rows of one epoch. */
export interface RowChunk extends CheckpointId {
  readonly lineage: string
  readonly baseMicros: number
  /** The epoch with rows before this one; null: there is none. A gap in the log shows in it. */
  readonly previous: number | null
  /** Counted within the epoch, from 0 on. */
  readonly index: number
  /** True in the epoch's last one. */
  readonly last: boolean
  readonly rows: readonly LoggedRow[]
}

/*
 * A chunk in bytes: length u32 | header as JSON | rows. A row is length u32 | row | origin, where an origin is 0, or
 * 1 | topic | partition u32 | offset f64 | timestamp f64 | key | raw | headers u32, each name | value.
 * Texts and bytes have their length before them, u32; 0xffffffff stands for null.
 */

const version = 1
const nullLength = 0xffff_ffff

export function encodeRowChunk({ rows, ...header }: RowChunk): Buffer {
  const parts: Buffer[] = []
  addBytes(parts, Buffer.from(JSON.stringify({ v: version, ...header, count: rows.length })))
  for (const { row, origin } of rows) {
    addBytes(parts, row)
    addOrigin(parts, origin)
  }
  return Buffer.concat(parts)
}

/** Bytes that a row takes in a chunk, at most. */
export function loggedBytes({ row, origin }: LoggedRow): number {
  if (origin === null) return row.length + 5
  let bytes = row.length + 64 + Buffer.byteLength(origin.topic) + (origin.key?.length ?? 0) + (origin.raw?.length ?? 0)
  for (const [name, value] of origin.headers) bytes += 8 + Buffer.byteLength(name) + (value?.length ?? 0)
  return bytes
}

/** @throws TidemarkError `corrupt-store` for bytes that `encodeRowChunk` does not make. */
export function decodeRowChunk(bytes: Buffer): RowChunk {
  const reader = new Reader(bytes)
  try {
    const header = parseStored(reader.bytes())
    if (isChunkHeader(header)) {
      const { epoch, nonce, lineage, baseMicros, previous, index, last, count } = header
      const rows = Array.from({ length: count }, () => ({ row: reader.bytes(), origin: readOrigin(reader) }))
      if (reader.done) return { epoch, nonce, lineage, baseMicros, previous, index, last, rows }
    }
  } catch (error) {
    // A length that leads beyond the end.
    if (!(error instanceof RangeError)) throw error
  }
  throw new TidemarkError(
    'corrupt-store',
    'A write-ahead log holds a chunk that Tidemark did not write; does something else write to its topic?',
  )
}

type ChunkHeader = Omit<RowChunk, 'rows'> & { readonly count: number }

function isChunkHeader(value: unknown): value is ChunkHeader {
  return (
    isObject(value) &&
    value['v'] === version &&
    typeof value['nonce'] === 'string' &&
    typeof value['lineage'] === 'string' &&
    typeof value['last'] === 'boolean' &&
    (value['previous'] === null || isCount(value['previous'])) &&
    [value['epoch'], value['baseMicros'], value['index'], value['count']].every(isCount)
  )
}

function addOrigin(parts: Buffer[], origin: StreamRecord<unknown> | null): void {
  if (origin === null) {
    parts.push(Buffer.from([0]))
    return
  }
  parts.push(Buffer.from([1]))
  addBytes(parts, Buffer.from(origin.topic))
  const numbers = Buffer.allocUnsafe(20)
  numbers.writeUInt32BE(origin.partition, 0)
  numbers.writeDoubleBE(origin.offset, 4)
  numbers.writeDoubleBE(origin.timestamp, 12)
  parts.push(numbers)
  addBytes(parts, origin.key)
  addBytes(parts, origin.raw)
  parts.push(word(origin.headers.length))
  for (const [name, value] of origin.headers) {
    addBytes(parts, Buffer.from(name))
    addBytes(parts, value)
  }
}

function readOrigin(reader: Reader): StreamRecord<unknown> | null {
  if (reader.byte() === 0) return null
  const topic = reader.bytes().toString()
  const partition = reader.word()
  const [offset, timestamp] = [reader.double(), reader.double()]
  const [key, raw] = [reader.bytesOrNull(), reader.bytesOrNull()]
  const headers = Array.from({ length: reader.word() }, (): Header => [reader.bytes().toString(), reader.bytesOrNull()])
  return new StreamRecord<unknown>(topic, partition, offset, timestamp, key, headers, raw, raw)
}

function addBytes(parts: Buffer[], bytes: Buffer | null): void {
  parts.push(word(bytes?.length ?? nullLength))
  if (bytes !== null) parts.push(bytes)
}

function word(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#step(1))
  }

  word(): number {
    return this.#bytes.readUInt32BE(this.#step(4))
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#step(8))
  }

  bytes(): Buffer {
    return this.bytesOrNull() ?? Buffer.alloc(0)
  }

  bytesOrNull(): Buffer | null {
    const length = this.word()
    if (length === nullLength) return null
    const from = this.#step(length)
    if (this.#at > this.#bytes.length) throw new RangeError('beyond the end')
    return this.#bytes.subarray(from, this.#at)
  }

  #step(length: number): number {
    const from = this.#at
    this.#at += length
    return from
  }
}
