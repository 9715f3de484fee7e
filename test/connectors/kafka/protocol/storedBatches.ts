import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '../../../../src/codecs/crc32c.ts'
import { batchHeaderBytes } from '../../../../src/connectors/kafka/protocol/batchHeader.ts'
import { RecordBatchBuilder } from '../../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import type { RecordContent } from '../../../../src/core/record.ts'
import { javaSnappy, lz4Block, lz4Frame, snappyBlock } from './packedSequences.ts'

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

const partBytes = 64 * 1024

/** Bytes in blocks of 64 KiB, as producers write them; those of one byte are a match. */
function inBlocks(bytes: Buffer, block: (part: Buffer) => Buffer): readonly Buffer[] {
  const blocks = new Map<string, Buffer>()
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += partBytes) {
    const part = bytes.subarray(at, at + partBytes)
    // Most are alike, and making one takes long.
    const key = part.toString('latin1')
    const made = blocks.get(key) ?? block(part)
    blocks.set(key, made)
    parts.push(made)
  }
  return parts
}

function sequencesOf(part: Buffer): Parameters<typeof lz4Block>[0] {
  const [first = 0] = part
  const isOne = part.length > 100 && part.every((byte) => byte === first)
  if (!isOne) return [{ literals: part, match: null }]
  return [
    { literals: part.subarray(0, 1), match: { distance: 1, count: part.length - 2 } },
    { literals: part.subarray(0, 1), match: null },
  ]
}

const packers: Readonly<Record<Codec, { readonly code: number; pack(bytes: Buffer): Buffer }>> = {
  none: { code: 0, pack: (bytes) => bytes },
  gzip: { code: 1, pack: (bytes) => gzipSync(bytes) },
  snappy: { code: 2, pack: (bytes) => javaSnappy(inBlocks(bytes, (part) => snappyBlock(sequencesOf(part)))) },
  lz4: {
    code: 3,
    pack: (bytes) =>
      lz4Frame(
        inBlocks(bytes, (part) => lz4Block(sequencesOf(part))).map((block) => ({ bytes: block, stored: false })),
      ),
  },
  zstd: { code: 4, pack: (bytes) => zstdCompressSync(bytes) },
}

/** The records of a batch, unpacked: what stands behind its header. */
export async function bodyOf(records: readonly RecordContent[]): Promise<Buffer> {
  const builder = new RecordBatchBuilder()
  for (const each of records) builder.add(each)
  return (await builder.build(null, 'none')).subarray(batchHeaderBytes)
}

/** A batch around a body, whatever that is, with the checksum that its writer would have made. */
export async function batchAround(
  body: Buffer,
  options: { readonly count: number; readonly baseOffset?: number; readonly codec?: Codec },
): Promise<Buffer> {
  const { count, baseOffset = 0, codec = 'none' } = options
  const builder = new RecordBatchBuilder()
  builder.add({ timestamp: 1_700_000_000_000, key: null, value: null, headers: [] })
  const header = (await builder.build(null, 'none')).subarray(0, batchHeaderBytes)
  const { code, pack } = packers[codec]
  const batch = Buffer.concat([header, pack(body)])
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  batch.writeInt16BE(code, 21)
  batch.writeInt32BE(count - 1, 23)
  batch.writeInt32BE(count, 57)
  return resealed(batch)
}

/** The batch with its length and checksum made anew. */
export function resealed(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

/** A zigzag varint, as Kafka's records have them. */
export function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value < 0 ? -2 * value - 1 : 2 * value
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80)
  return Buffer.from([...bytes, left])
}

/** A record by hand: its length, attributes, time and offset, and what is said to follow. */
export function recordAround(offsetDelta: number, rest: Buffer, length?: number): Buffer {
  const content = Buffer.concat([Buffer.from([0]), varint(0), varint(offsetDelta), rest])
  return Buffer.concat([varint(length ?? content.length), content])
}
