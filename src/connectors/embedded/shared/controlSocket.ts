import { createHash } from 'node:crypto'
import { chmod, rm, rmdir, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileFailure } from '../../../files/fileFailure.ts'
import { makeOwnDirectory } from '../../../files/makeOwnDirectory.ts'
import { checkOwn, thisProcess, type Viewer } from '../../../files/ownership.ts'

/** Longest path of a Unix domain socket, less its end: 104 bytes on macOS, 108 on Linux. */
const maxSocketPathBytes = 100

/**
 * Where this process's control socket stands for a data directory: in it, or, where the path would be too long for a
 * socket, in a directory of the process's own under the system's temporary one.
 */
export function controlSocketPath(directory: string): string {
  const inside = join(directory, 'control', 'socket')
  if (fits(inside)) return inside
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 16)
  const elsewhere = [tmpdir(), '/tmp'].map((place) => join(place, `tidemark-${hash}-${String(process.pid)}`, 'socket'))
  return elsewhere.find(fits) ?? inside
}

/** Whether it does not stand in the data directory. */
export function isElsewhere(directory: string, socket: string): boolean {
  return dirname(socket) !== join(directory, 'control')
}

/**
 * Makes the directory of a control socket for this user alone, and removes the socket that a killed process has left there.
 * Throws `unsafe-path` where somebody else has been there, or something else stands in its place.
 */
export async function makeRoomForSocket(
  directory: string,
  socket: string,
  viewer: Viewer = thisProcess,
): Promise<void> {
  const place = dirname(socket)
  try {
    await makeOwnDirectory(dirname(place), [basename(place)], viewer)
    // Whoever can enter it may be able to write the socket, whatever the umask was.
    await chmod(place, 0o700)
    if ((await checkOwn(socket, 'socket', { viewer })) !== null) await unlink(socket)
  } catch (error) {
    throw fileFailure(error, `${place}, which the control socket of ${directory} needs, cannot be made`, {
      path: place,
    })
  }
}

/** Once nobody listens on it. What stands elsewhere goes with its directory, which has no other use. */
export async function removeSocket(directory: string, socket: string): Promise<void> {
  await rm(socket, { force: true })
  if (!isElsewhere(directory, socket)) return
  // Whatever has been put into it is not ours, and keeps it.
  await rmdir(dirname(socket)).catch(() => undefined)
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= maxSocketPathBytes
}
