import { crc32c } from '../../codecs/crc32c.ts'
import { maskedCrc } from '../../leveldb/diskBytes.ts'
import { fragmentHeaderBytes } from '../../leveldb/logScan.ts'
import { batchHeadBytes } from '../../leveldb/writeBatch.ts'
import type { ChangelogEntry } from '../../core/ports/changelog.ts'

const full = 1
const first = 2
const middle = 3
const last = 4

/** Writes as LevelDB puts them into its log: one record of a log. */
export function encodeBatch(sequence: number, entries: readonly ChangelogEntry[]): Buffer {
  const head = Buffer.alloc(batchHeadBytes)
  head.writeBigUInt64LE(BigInt(sequence))
  head.writeUInt32LE(entries.length, 8)
  return Buffer.concat([
    head,
    ...entries.flatMap(({ key, value }) => [
      Buffer.of(value === null ? 0 : 1),
      ...slice(key),
      ...(value === null ? [] : slice(value)),
    ]),
  ])
}

/** A record as it is added to a log of this length: in fragments, none of which crosses the end of a block. */
export function encodeRecord(record: Buffer, length: number, blockBytes: number): Buffer {
  const parts: Buffer[] = []
  let at = length % blockBytes
  for (let from = 0, begins = true; begins || from < record.length; begins = false) {
    if (blockBytes - at < fragmentHeaderBytes) {
      parts.push(Buffer.alloc(blockBytes - at))
      at = 0
    }
    const data = record.subarray(from, from + blockBytes - at - fragmentHeaderBytes)
    const ends = from + data.length === record.length
    parts.push(fragment(begins ? (ends ? full : first) : ends ? last : middle, data))
    at = (at + fragmentHeaderBytes + data.length) % blockBytes
    from += data.length
  }
  return Buffer.concat(parts)
}

function fragment(type: number, data: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(fragmentHeaderBytes + data.length)
  bytes.writeUInt16LE(data.length, 4)
  bytes.writeUInt8(type, 6)
  data.copy(bytes, fragmentHeaderBytes)
  bytes.writeUInt32LE(maskedCrc(crc32c(bytes.subarray(6))))
  return bytes
}

/** Bytes behind their length. */
function slice(bytes: Buffer): readonly [Buffer, Buffer] {
  const length: number[] = []
  for (let left = bytes.length; length.length === 0 || left > 0; left = Math.floor(left / 0x80)) {
    length.push((left % 0x80) + (left >= 0x80 ? 0x80 : 0))
  }
  return [Buffer.from(length), bytes]
}
