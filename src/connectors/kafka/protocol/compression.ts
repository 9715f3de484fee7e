import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import { createGunzip, createZstdDecompress, gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib'
import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { unpackLz4 } from './unpackLz4.ts'
import { unpackSnappy } from './unpackSnappy.ts'

/** What we compress with. */
export type CompressionType = 'none' | 'gzip' | 'zstd'

/** What a batch unpacks to, piece by piece. */
export interface Unpacking {
  /** What it holds by itself. */
  readonly heldBytes: number
  /** The next piece, which stands until the next call; null at the end. Rejects with the codec's own error. */
  next(): Promise<Buffer | null>
  close(): void
}

/** Lets others have their turn, and calls back. */
export type Soon = (callback: () => void) => void

/** As they stand in a batch's attributes. */
export const compressionCodes: Readonly<Record<CompressionType, number>> = { none: 0, gzip: 1, zstd: 4 }
/** A batch that unpacks to no more is unpacked at once. */
const atOnceBytes = 1024 * 1024
const pieceBytes = 256 * 1024
/** Of Node's calls for whole buffers. */
const leastChunkBytes = 16 * 1024

const pack = { gzip: promisify(gzip), zstd: promisify(zstdCompress) }
const unpackGzip = promisify(gunzip)
const unpackZstd = promisify(zstdDecompress)

interface Options {
  readonly chunkSize: number
  readonly maxOutputLength?: number
}

/** A codec of node:zlib. `claims`: what the bytes say they unpack to, which nobody vouches for; null: nothing. */
interface ZlibCodec {
  readonly name: string
  claims(bytes: Buffer): { readonly bytes: number | null; readonly windowBytes: number }
  atOnce(bytes: Buffer, options: Options): Promise<Buffer>
  stream(options: Options): Transform
}

/** A codec of ours. */
interface BlockCodec {
  readonly name: string
  pieces(bytes: Buffer, pieceBytes: number): Generator<Buffer, Buffer>
}

const zlibCodecs: Readonly<Record<number, ZlibCodec>> = {
  1: {
    name: 'gzip',
    claims: (bytes) => ({
      bytes: bytes.length < 18 ? null : bytes.readUInt32LE(bytes.length - 4),
      windowBytes: 64 * 1024,
    }),
    atOnce: unpackGzip,
    stream: createGunzip,
  },
  4: { name: 'zstd', claims: zstdFrame, atOnce: unpackZstd, stream: createZstdDecompress },
}

const blockCodecs: Readonly<Record<number, BlockCodec>> = {
  2: { name: 'snappy', pieces: unpackSnappy },
  3: { name: 'lz4', pieces: unpackLz4 },
}

export function compress(type: Exclude<CompressionType, 'none'>, bytes: Buffer): Promise<Buffer> {
  return pack[type](bytes)
}

/** By the code in a batch's attributes; null for a codec that Kafka does not have. */
export function codecName(code: number): string | null {
  return code === 0 ? 'none' : ((zlibCodecs[code] ?? blockCodecs[code])?.name ?? null)
}

/**
 * Unpacks the records of a batch: at once where that is little, else in pieces. Rejects, as the pieces do, with what the
 * codec finds wrong.
 *
 * @param soon lets others have their turn between two pieces that were not waited for.
 */
export async function unpack(code: number, bytes: Buffer, soon: Soon): Promise<Buffer | Unpacking> {
  const zlib = zlibCodecs[code]
  if (zlib !== undefined) return unpackByZlib(zlib, bytes)
  const blocks = blockCodecs[code]
  if (blocks === undefined) throw new TidemarkError('broken-invariant', `There is no codec ${String(code)}`)
  const first = blocks.pieces(bytes, pieceBytes).next()
  if (first.done === true) return first.value
  // Of its own: a part of a whole answer would keep it alive.
  const own = Buffer.from(bytes)
  const pieces = inTurns(blocks.pieces(own, pieceBytes), soon)
  return unpacking(own.length + 2 * pieceBytes, pieces, () => {
    void pieces.return()
  })
}

async function unpackByZlib(codec: ZlibCodec, bytes: Buffer): Promise<Buffer | Unpacking> {
  const claims = codec.claims(bytes)
  const expected = claims.bytes ?? bytes.length * 4
  if (expected <= atOnceBytes && bytes.length <= atOnceBytes) {
    // A little more than it claims, so that one call sees the end as well.
    const chunkSize = Math.max(leastChunkBytes, expected + 64)
    // What fails, or is more than it claimed to be, is unpacked in pieces: they show how far it can be read.
    const whole = await codec.atOnce(bytes, { maxOutputLength: atOnceBytes, chunkSize }).catch(() => null)
    if (whole !== null) return whole
  }
  const stream = codec.stream({ chunkSize: pieceBytes })
  // What fails between two pieces is told with the next one.
  stream.on('error', () => undefined)
  // The stream keeps them, and they are a part of a whole answer.
  stream.end(Buffer.from(bytes))
  // A stream of zlib gives Buffers.
  const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  return unpacking(bytes.length + claims.windowBytes + 2 * pieceBytes, pieces, () => {
    stream.destroy()
  })
}

function unpacking(heldBytes: number, pieces: AsyncIterator<Buffer>, close: () => void): Unpacking {
  const next = async (): Promise<Buffer | null> => {
    const piece = await pieces.next()
    return piece.done === true ? null : piece.value
  }
  return { heldBytes, next, close }
}

async function* inTurns(pieces: Generator<Buffer, Buffer>, soon: Soon): AsyncGenerator<Buffer, void> {
  for (;;) {
    await new Promise<void>((resolve) => {
      soon(resolve)
    })
    const { done, value } = pieces.next()
    yield value
    if (done === true) return
  }
}

/** What a codec has found wrong, for a sentence. */
export function unpackFailure(code: number, error: unknown): string {
  return `it cannot be unpacked with ${codecName(code) ?? 'its codec'}: ${messageOf(error)}`
}

const frameMagic = 0xfd2fb528
const singleSegmentBit = 0x20
/** Bytes of the field, by its flag. */
const dictionaryIdBytes = [0, 1, 2, 4] as const
const leastWindowLog = 10
/** What zstd takes by itself; it refuses more. */
const maxWindowBytes = 128 * 1024 * 1024

/** What the first frame says it unpacks to, null where it does not, and the window it needs (RFC 8878, 3.1.1.1). */
export function zstdFrame(bytes: Buffer): { readonly bytes: number | null; readonly windowBytes: number } {
  const unknown = { bytes: null, windowBytes: 0 }
  // The longest header.
  const header = bytes.subarray(0, 18)
  if (header.length < 6 || header.readUInt32LE(0) !== frameMagic) return unknown
  const flags = header.readUInt8(4)
  const isSingleSegment = (flags & singleSegmentBit) !== 0
  const sizeFlag = flags >>> 6
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + (dictionaryIdBytes[flags & 3] ?? 0)
  const sizeBytes = sizeFlag === 0 ? Number(isSingleSegment) : 1 << sizeFlag
  if (sizeAt + sizeBytes > header.length) return unknown
  const size = sizeBytes === 0 ? null : contentSize(header, sizeAt, sizeBytes)
  const window = isSingleSegment ? (size ?? 0) : windowOf(header.readUInt8(5))
  return { bytes: size, windowBytes: Math.min(maxWindowBytes, window) }
}

function contentSize(header: Buffer, at: number, width: number): number {
  if (width === 8) return Number(header.readBigUInt64LE(at))
  // Two bytes count from 256 on.
  return header.readUIntLE(at, width) + (width === 2 ? 256 : 0)
}

function windowOf(descriptor: number): number {
  const base = 2 ** (leastWindowLog + (descriptor >>> 3))
  return base + (base / 8) * (descriptor & 7)
}
