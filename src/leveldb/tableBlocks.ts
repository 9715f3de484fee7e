import { crc32c } from '../codecs/crc32c.ts'
import { UnpackedBytes, unpackSnappyBlock } from '../codecs/snappy.ts'
import { messageOf } from '../core/errors.ts'
import { DiskBytes, maskedCrc, unreadable, isZero, readAt } from './diskBytes.ts'
import type { StoredFile } from './storedFile.ts'

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

function readHandle(bytes: DiskBytes): BlockHandle {
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
export function blockContent(stored: Buffer): Buffer {
  if (!checksumHolds(stored)) throw unreadable('the checksum of a block is wrong')
  const content = stored.subarray(0, stored.length - blockTrailerBytes)
  const kind = stored[content.length]
  if (kind === plain) return content
  if (kind === snappy) return unpackBlock(content, maxHeldBlockBytes)
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

/** @throws TidemarkError `corrupt-store`, with the reason only, for what is no snappy or unpacks to more than `maxBytes`. */
export function unpackBlock(packed: Buffer, maxBytes: number): Buffer {
  const output = new UnpackedBytes(packed.length * 4, Infinity, maxBytes)
  try {
    // One piece, whatever its size.
    unpackSnappyBlock(packed, { start: 0, end: packed.length }, output, Infinity).next()
  } catch (error) {
    throw unreadable(messageOf(error))
  }
  return output.take()
}

const footerBytes = 48
const magic = Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb])

/** A table of 1 GiB with the smallest blocks that LevelDB makes. */
const maxBlocks = 1024 * 1024

/** All blocks of a table but its index; each begins where the one before ends, the first at 0. */
interface TableIndex {
  readonly data: readonly BlockHandle[]
  /** The filter, if there is one, and the block that names it. */
  readonly others: readonly BlockHandle[]
}

/**
 * Reads footer and index of a table, which leave no byte of the file unaccounted for.
 *
 * @throws TidemarkError `corrupt-store`, with reason and offset only.
 */
export async function readTableIndex(file: StoredFile): Promise<TableIndex> {
  const footerAt = file.size - footerBytes
  if (footerAt < 0) throw unreadable('a table is smaller than its footer')
  const footer = await file.read(footerAt, footerBytes)
  const { names, index } = readAt(footerAt, () => readFooter(footer))
  if (behind(index) !== footerAt) throw unreadable('the footer does not follow the index', footerAt)
  if (behind(names) !== index.offset) throw unreadable('the index does not follow the block before it', footerAt)
  const data = await readHandles(file, index)
  const others = [...(await readHandles(file, names)), names]
  let next = 0
  for (const block of [...data, ...others]) {
    if (block.offset !== next) throw unreadable('the index leaves bytes out, or counts some twice', index.offset)
    next = behind(block)
  }
  return { data, others }
}

/** The content of one block. @throws TidemarkError `corrupt-store`, with reason and offset only. */
export async function readBlock(file: StoredFile, block: BlockHandle): Promise<Buffer> {
  if (block.bytes > maxHeldBlockBytes) throw unreadable('a block is larger than can be held', block.offset)
  if (behind(block) > file.size) throw unreadable('a block ends beyond the file', block.offset)
  const stored = await file.read(block.offset, block.bytes + blockTrailerBytes)
  return readAt(block.offset, () => blockContent(stored))
}

async function readHandles(file: StoredFile, block: BlockHandle): Promise<readonly BlockHandle[]> {
  const content = await readBlock(file, block)
  return readAt(block.offset, () => {
    const handles: BlockHandle[] = []
    for (const { value } of blockEntries(content)) {
      if (handles.length === maxBlocks) throw unreadable(`a table has more than ${String(maxBlocks)} blocks`)
      handles.push(readHandle(new DiskBytes(value)))
    }
    return handles
  })
}

function readFooter(footer: Buffer): { readonly names: BlockHandle; readonly index: BlockHandle } {
  if (!footer.subarray(-magic.length).equals(magic)) throw unreadable('the file does not end as a table does')
  const handles = footer.subarray(0, -magic.length)
  const bytes = new DiskBytes(handles)
  const found = { names: readHandle(bytes), index: readHandle(bytes) }
  if (!isZero(handles.subarray(bytes.at))) throw unreadable('the padding of the footer is not zero')
  return found
}
