import { createHash } from 'node:crypto'
import { lstat, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { TidemarkError } from '../../core/errors.ts'

/** Longest path of a Unix domain socket, less its end: 104 bytes on macOS, 108 on Linux. */
const maxSocketPathBytes = 100

/** Where everything stands below `data.dir`. */
export interface DataDirectory {
  /** Absolute. */
  readonly path: string
  /** The LevelDB directory. */
  readonly log: string
  /** Who holds it, as JSON; only a hint, the lock inside `log` decides. */
  readonly holderFile: string
  /** The control socket, alone in a directory that only its owner can enter. */
  readonly socket: string
}

export function dataDirectory(directory: string): DataDirectory {
  const path = resolve(directory)
  return { path, log: join(path, 'log'), holderFile: join(path, 'holder.json'), socket: socketPath(path) }
}

function socketPath(directory: string): string {
  const inside = join(directory, 'control', 'socket')
  if (Buffer.byteLength(inside) <= maxSocketPathBytes) return inside
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 16)
  return join(tmpdir(), `tidemark-${name}`, 'socket')
}

/**
 * Makes the directory of the control socket. Throws `invalid-setting` when it is one in the temporary directory that
 * somebody else has made, or can get at.
 */
export async function makeSocketDirectory({ path, socket }: DataDirectory): Promise<void> {
  const directory = dirname(socket)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (directory.startsWith(path)) return
  const found = await lstat(directory)
  const isOurs = found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0
  if (isOurs) return
  throw new TidemarkError(
    'invalid-setting',
    `${directory} is needed for the control socket and is not a directory of this user alone. Remove it, or set data.dir to a shorter path`,
    { details: { path: directory } },
  )
}
