import { crc32c } from '../codecs/crc32c.ts'
import {
  behind,
  blockEntries,
  blockTrailerBytes,
  checksumHolds,
  maxHeldBlockBytes,
  readBlock,
  readTableIndex,
  type BlockHandle,
} from './tableBlocks.ts'
import { readAt, unreadable } from './diskBytes.ts'
import { readChunkBytes, type StoredFile } from './storedFile.ts'
import type { LiveTable } from './readVersion.ts'

/**
 * Holds a table against the MANIFEST and every block against its checksum. Blocks are not unpacked, but for the first and the
 * last: their keys tell that this is the table that was meant, and not another one.
 *
 * @throws TidemarkError `corrupt-store`, with reason and offset only.
 */
export async function verifyTable(file: StoredFile, table: LiveTable): Promise<void> {
  if (file.size !== table.bytes) {
    throw unreadable(`the file has ${String(file.size)} bytes, and LevelDB wrote ${String(table.bytes)}`)
  }
  const { data, others } = await readTableIndex(file)
  await verifyChecksums(file, [...data, ...others])
  const [first, last] = [data.at(0), data.at(-1)]
  if (first === undefined || last === undefined) throw unreadable('a table has no data')
  await verifyKey(file, first, 0, table.smallest)
  await verifyKey(file, last, -1, table.largest)
}

async function verifyKey(file: StoredFile, block: BlockHandle, place: 0 | -1, expected: Buffer): Promise<void> {
  // One value that is larger; its checksum is right.
  if (block.bytes > maxHeldBlockBytes) return
  const content = await readBlock(file, block)
  const keys = readAt(block.offset, () => [...blockEntries(content)].map(({ key }) => key))
  if (keys.at(place)?.equals(expected) !== true)
    throw unreadable('the table is not the one that was written', block.offset)
}

/** Reads many blocks at once, and the next while these are summed; a block that is larger is read in parts. */
async function verifyChecksums(file: StoredFile, blocks: readonly BlockHandle[]): Promise<void> {
  const runs = runsOf(blocks)
  const buffers = [Buffer.allocUnsafe(readChunkBytes), Buffer.allocUnsafe(readChunkBytes)] as const
  const read = (index: number): Promise<Buffer> | null => {
    const run = runs[index]
    return run === undefined
      ? null
      : file.read(run.offset, Math.min(run.bytes, readChunkBytes), buffers[index % 2 === 0 ? 0 : 1])
  }
  let next = read(0)
  for (const [index, run] of runs.entries()) {
    const bytes = await next
    next = run.bytes > readChunkBytes ? null : read(index + 1)
    if (bytes === null) throw unreadable('a block ends beyond the file', run.offset)
    if (run.bytes > readChunkBytes) {
      await verifyLargeBlock(file, run, bytes)
      next = read(index + 1)
    } else {
      for (const block of run.blocks) {
        const stored = bytes.subarray(block.offset - run.offset, behind(block) - run.offset)
        if (stored.length < blockTrailerBytes || !checksumHolds(stored)) {
          throw unreadable('the checksum of a block is wrong', block.offset)
        }
      }
    }
  }
}

/** Blocks that follow each other, at most `readBytes` of them, or one block. */
interface Run {
  readonly offset: number
  bytes: number
  readonly blocks: BlockHandle[]
}

function runsOf(blocks: readonly BlockHandle[]): readonly Run[] {
  const runs: Run[] = []
  for (const block of blocks) {
    const bytes = behind(block) - block.offset
    const run = runs.at(-1)
    if (run !== undefined && run.bytes + bytes <= readChunkBytes) {
      run.bytes += bytes
      run.blocks.push(block)
    } else runs.push({ offset: block.offset, bytes, blocks: [block] })
  }
  return runs
}

async function verifyLargeBlock(file: StoredFile, { offset, bytes }: Run, buffer: Buffer): Promise<void> {
  let crc = 0
  // The trailer's checksum is left to the last part.
  const summed = bytes - blockTrailerBytes
  for (let at = 0; at < summed; at += readChunkBytes) {
    const part = await file.read(offset + at, Math.min(readChunkBytes, summed - at), buffer)
    crc = crc32c(part, crc)
  }
  const trailer = await file.read(offset + summed, blockTrailerBytes)
  if (trailer.length < blockTrailerBytes || !checksumHolds(trailer, crc)) {
    throw unreadable('the checksum of a block is wrong', offset)
  }
}
