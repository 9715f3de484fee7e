import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { isMissing, thisProcess, type Viewer } from './ownership.ts'

/**
 * The text of a small file of this user's; null where there is none, or something else: a link, a directory, a pipe, a file
 * of somebody else's, or one of more bytes.
 */
export async function readOwnFile(
  file: string,
  maxBytes: number,
  viewer: Pick<Viewer, 'user'> = thisProcess,
): Promise<string | null> {
  let handle: Awaited<ReturnType<typeof open>>
  try {
    // A pipe would be waited for.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (isMissing(error) || code === 'ELOOP' || code === 'ENXIO' || code === 'EACCES') return null
    throw error
  }
  try {
    const stats = await handle.stat()
    if (!stats.isFile() || stats.uid !== viewer.user || stats.size > maxBytes) return null
    const bytes = Buffer.alloc(stats.size)
    const { bytesRead } = await handle.read(bytes, 0, stats.size, 0)
    return bytes.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
