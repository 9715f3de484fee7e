import { constants, type Stats } from 'node:fs'
import { chmod, lstat, open } from 'node:fs/promises'
import { TidemarkError, codeOf } from '../core/errors.ts'

/** Who looks at files, and how: never through a link. */
export interface Viewer {
  /** The effective user of this process. */
  readonly user: number
  /** Its effective and its other groups. */
  readonly groups: readonly number[]
  /** Rejects with ENOENT where there is nothing. */
  lstat(path: string): Promise<Stats>
}

/** This process. */
export const thisProcess: Viewer = {
  get user() {
    return process.geteuid?.() ?? 0
  },
  get groups() {
    return [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])]
  },
  lstat: (path) => lstat(path),
}

export type FileKind = 'directory' | 'file' | 'socket'

const kinds: Readonly<Record<FileKind, readonly [name: string, is: (stats: Stats) => boolean]>> = {
  directory: ['directory', (stats) => stats.isDirectory()],
  file: ['regular file', (stats) => stats.isFile()],
  socket: ['socket', (stats) => stats.isSocket()],
}

const writableByOthers = 0o022
const writableByGroup = 0o020
const writableByAll = 0o002
const enterableByOthers = 0o011
const sticky = 0o1000
const permissions = 0o7777

/** Null where there is nothing. */
export async function statsOf(path: string, viewer: Viewer): Promise<Stats | null> {
  try {
    return await viewer.lstat(path)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/**
 * The data directory itself: of this user or of root, and nobody else can put anything in the place of what is ours in it.
 * Where it has the sticky bit others can make names there, which are refused when they are ours, but not replace any.
 * Throws `unsafe-path`.
 */
export function checkDirectory(path: string, stats: Stats, viewer: Viewer): void {
  if (!stats.isDirectory()) throw unsafe(path, `${path} is no directory. Name another one with --data-dir`)
  if (stats.uid !== viewer.user && stats.uid !== 0) throw foreign(path, stats, viewer)
  if ((stats.mode & writableByOthers) === 0 || (stats.mode & sticky) !== 0) return
  const remedy =
    stats.uid === viewer.user
      ? `Look at what is in it, then: chmod go-w ${path}. Where that changes nothing, the file system keeps no modes (a drive of Windows, CIFS, vfat): name a directory on another one with --data-dir`
      : 'Name a directory below it with --data-dir, which is made for this user alone'
  throw unsafe(path, `Other users can write ${path} (mode ${modeText(stats)}). ${remedy}`)
}

/**
 * Whether a directory is this user's, and only a group of this process can write it as well: as Kubernetes opens a volume for its
 * `fsGroup` at every mount, where nobody is there to close it.
 */
export function isOnlyOpenToGroup(stats: Stats, viewer: Viewer): boolean {
  if (!stats.isDirectory() || stats.uid !== viewer.user || !viewer.groups.includes(stats.gid)) return false
  return (stats.mode & writableByGroup) !== 0 && (stats.mode & (writableByAll | sticky)) === 0
}

/** Closes a directory to everybody but this user, where the file system has modes. */
export async function close(path: string): Promise<void> {
  try {
    await chmod(path, 0o700)
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error
  }
}

/**
 * Something of ours below the data directory: no link, of this kind, of this user, and not to be written by others, unless
 * they cannot come there. Gives null where there is nothing. Throws `unsafe-path`.
 */
export async function checkOwn(
  path: string,
  kind: FileKind,
  { isShared = true, viewer = thisProcess }: { readonly isShared?: boolean; readonly viewer?: Viewer } = {},
): Promise<Stats | null> {
  const stats = await statsOf(path, viewer)
  if (stats === null) return null
  if (stats.isSymbolicLink()) {
    throw unsafe(path, `${path} is a symbolic link, and inside of the data directory none is followed. Remove it`)
  }
  const [name, isOfKind] = kinds[kind]
  if (!isOfKind(stats)) {
    throw unsafe(path, `${path} is no ${name}, and Tidemark needs the name for one. Move it away`)
  }
  if (stats.uid !== viewer.user) throw foreign(path, stats, viewer)
  if (kind !== 'socket' && isShared && (stats.mode & writableByOthers) !== 0) {
    throw unsafe(
      path,
      `Other users can write ${path} (mode ${modeText(stats)}). Look at what is in it, then: chmod go-w ${path}`,
    )
  }
  return stats
}

/** Whether others can reach what is in a directory, so that its modes count. */
export function othersReach(stats: Stats): boolean {
  return (stats.mode & enterableByOthers) !== 0
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

function foreign(path: string, stats: Stats, { user }: Viewer): TidemarkError {
  return unsafe(
    path,
    `${path} belongs to user ${String(stats.uid)}, and this process runs as user ${String(user)}. Run it as that user, or name another directory with --data-dir`,
  )
}

function unsafe(path: string, message: string): TidemarkError {
  return new TidemarkError('unsafe-path', message, { details: { path } })
}

export function modeText({ mode }: Stats): string {
  return (mode & permissions).toString(8).padStart(4, '0')
}

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
    const code = codeOf(error)
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

/** Whether a process of this id lives on this machine, whosever it is. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}
