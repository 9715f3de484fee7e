import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../core/errors.ts'
import { unreadable } from './diskBytes.ts'
import { logBlockBytes } from './logScan.ts'

/** Read at a time: whole blocks of a log. */
export const readChunkBytes = 32 * logBlockBytes

/** A regular file of the directory, opened to be read; null: there is none of that name. Follows no link, waits for no pipe. */
export async function openStored(directory: string, file: string): Promise<StoredFile | null> {
  let handle: FileHandle | null = null
  try {
    handle = await open(path.join(directory, file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = await handle.stat()
    if (stats.isFile()) return new StoredFile(file, stats.size, handle)
    await handle.close()
    return null
  } catch (error) {
    await handle?.close()
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO' || code === 'ENOTDIR') return null
    throw error
  }
}

/** A file of a LevelDB directory, read in parts of bounded size. */
export class StoredFile {
  readonly name: string
  readonly size: number
  readonly #handle: FileHandle

  constructor(name: string, size: number, handle: FileHandle) {
    this.name = name
    this.size = size
    this.#handle = handle
  }

  /**
   * The bytes from there on, fewer at the end of the file.
   *
   * @throws TidemarkError `corrupt-store`, with reason and offset only, when the disk cannot read them.
   */
  async read(offset: number, bytes: number, into: Buffer = Buffer.allocUnsafe(bytes)): Promise<Buffer> {
    let length = 0
    try {
      while (length < bytes) {
        const { bytesRead } = await this.#handle.read(into, length, bytes - length, offset + length)
        if (bytesRead === 0) break
        length += bytesRead
      }
    } catch (error) {
      if (codeOf(error) === 'EIO') {
        throw unreadable('the disk cannot read it (EIO)', offset + length)
      }
      throw error
    }
    return into.subarray(0, length)
  }

  /** Block by block of a log. Each is valid until the next is asked for. */
  async *logBlocks(): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(readChunkBytes, Math.max(this.size, 1)))
    for (let offset = 0; offset < this.size; offset += readChunkBytes) {
      const part = await this.read(offset, Math.min(readChunkBytes, this.size - offset), buffer)
      for (let at = 0; at < part.length; at += logBlockBytes) yield part.subarray(at, at + logBlockBytes)
    }
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}
