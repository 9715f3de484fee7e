import {
  behind,
  blockContent,
  blockEntries,
  blockTrailerBytes,
  maxHeldBlockBytes,
  readHandle,
  type BlockHandle,
} from './block.ts'
import { DiskBytes, isZero, readAt, unreadable } from './diskBytes.ts'
import type { StoredFile } from './storedFile.ts'

const footerBytes = 48
const magic = Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb])

/** A table of 1 GiB with the smallest blocks that LevelDB makes. */
const maxBlocks = 1024 * 1024

/** All blocks of a table but its index; each begins where the one before ends, the first at 0. */
export interface TableIndex {
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
