import { crc32c } from '../codecs/crc32c.ts'
import { DiskBytes, maskedCrc, unreadable } from './diskBytes.ts'
import { unpackSnappyBlock } from './unpackSnappyBlock.ts'

/** Behind each block of a table: its kind and its checksum. */
export const blockTrailerBytes = 5
/** Indexes, and the blocks of which keys are looked at, are held in memory; no larger one is. */
export const maxHeldBlockBytes = 64 * 1024 * 1024
const plain = 0
const snappy = 1

/** Where a block stands, without its trailer. */
export interface BlockHandle {
  readonly offset: number
  readonly bytes: number
}

export function readHandle(bytes: DiskBytes): BlockHandle {
  return { offset: bytes.varint(), bytes: bytes.varint() }
}

/** Where the next block begins. */
export function behind({ offset, bytes }: BlockHandle): number {
  return offset + bytes + blockTrailerBytes
}

/** Whether the block, with its trailer, has the checksum that it says; `before`: the CRC of its beginning, when this is its rest. */
export function checksumHolds(stored: Buffer, before = 0): boolean {
  const end = stored.length - 4
  return maskedCrc(crc32c(stored.subarray(0, end), before)) === stored.readUInt32LE(end)
}

/** What a block with its trailer holds. @throws TidemarkError `corrupt-store`, with the reason only. */
export function blockContent(stored: Buffer, maxBytes = maxHeldBlockBytes): Buffer {
  if (!checksumHolds(stored)) throw unreadable('the checksum of a block is wrong')
  const content = stored.subarray(0, stored.length - blockTrailerBytes)
  const kind = stored[content.length]
  if (kind === plain) return content
  if (kind === snappy) return unpackSnappyBlock(content, maxBytes)
  throw unreadable(`a block is of the unknown kind ${String(kind)}`)
}

/**
 * The entries of a block in their order. A key holds only what differs from the one before, but at a restart point.
 *
 * @throws TidemarkError `corrupt-store`, with the reason only.
 */
export function* blockEntries(content: Buffer): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
  const countAt = content.length - 4
  if (countAt < 0) throw unreadable('a block ends too early')
  const restarts = content.readUInt32LE(countAt)
  if (restarts > countAt / 4) throw unreadable('a block has more restart points than it can')
  const bytes = new DiskBytes(content.subarray(0, countAt - restarts * 4))
  let key: Buffer = Buffer.alloc(0)
  while (bytes.left > 0) {
    const shared = bytes.varint()
    const own = bytes.varint()
    const valueBytes = bytes.varint()
    if (shared > key.length) throw unreadable('a key shares more than the one before has')
    const rest = bytes.take(own)
    key = shared === 0 ? rest : Buffer.concat([key.subarray(0, shared), rest])
    yield { key, value: bytes.take(valueBytes) }
  }
}
