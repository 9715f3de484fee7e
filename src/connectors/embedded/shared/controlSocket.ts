import { createHash } from 'node:crypto'
import { chmod, rm, rmdir, unlink, lstat, readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../../../core/errors.ts'
import type { Clock } from '../../../core/ports/clock.ts'
import { fileFailure } from '../../../files/fileFailure.ts'
import { makeOwnDirectory } from '../../../files/makeOwnDirectory.ts'
import { checkOwn, thisProcess, isAlive, type Viewer } from '../../../files/ownership.ts'

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

/** `tidemark-<hash of the data directory>-<process>`; version 0.1.0 left the process out. */
const socketDirectory = /^tidemark-[0-9a-f]{16}(?:-(\d{1,10}))?$/
/** A directory without a process in its name is made a moment before its socket is. */
const staleMs = 3_600_000

/**
 * Removes the directories for control sockets in the temporary directory whose processes are dead: of this user, of our
 * names, with nothing but a socket that nobody answers in them. What cannot be looked at or removed is left to the next
 * start.
 */
export async function removeAbandonedSockets(
  clock: Clock,
  { place = tmpdir(), viewer = thisProcess }: { readonly place?: string; readonly viewer?: Viewer } = {},
): Promise<void> {
  const names = await readdir(place).catch(() => [])
  for (const name of names) {
    const [, pid] = socketDirectory.exec(name) ?? []
    if (!socketDirectory.test(name) || (pid !== undefined && isAlive(Number(pid)))) continue
    try {
      await removeDead(join(place, name), pid !== undefined, clock, viewer)
    } catch {
      // Somebody else's meanwhile, or gone.
    }
  }
}

async function removeDead(directory: string, isProcessDead: boolean, clock: Clock, viewer: Viewer): Promise<void> {
  const stats = await viewer.lstat(directory)
  if (!stats.isDirectory() || stats.uid !== viewer.user) return
  const names = await readdir(directory)
  const socket = join(directory, 'socket')
  if (names.length === 0) {
    if (!isProcessDead && clock.now() - stats.mtimeMs < staleMs) return
  } else {
    if (names.some((name) => name !== 'socket') || !(await lstat(socket)).isSocket()) return
    if (await answers(socket)) return
    await unlink(socket)
  }
  await rmdir(directory)
}

/** Whether a process listens there. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', (error) => {
      resolve(codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT')
    })
  })
}
