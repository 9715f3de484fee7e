import { lstat, readdir, rmdir, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../../core/ports/clock.ts'
import { isAlive } from '../../../core/isAlive.ts'
import { thisProcess, type Viewer } from '../../../files/ownership.ts'

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
      resolve(!('code' in error) || (error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'))
    })
  })
}
