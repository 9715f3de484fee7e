import { hash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { mkdir, open, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { TidemarkError, type ErrorCode } from '../core/errors.ts'
import { contentOf, entriesIn, isLevelContent } from './directoryNames.ts'
import { fileFailure } from './fileFailure.ts'
import { findStranger } from './findStranger.ts'
import {
  checkDirectory,
  checkOwn,
  close,
  isMissing,
  isOnlyOpenToGroup,
  modeText,
  othersReach,
  statsOf,
  thisProcess,
  readOwnFile,
  type Viewer,
} from './ownership.ts'
import { syncDirectory } from './replaceFile.ts'

/** What makes a directory ours. */
export const markerName = 'tidemark.json'
const markerVersion = 1
const markerText = `${JSON.stringify({ directory: 'tidemark', version: markerVersion })}\n`
const maxMarkerBytes = 4 * 1024

/** Directories that stand in every data directory of the embedded world. */
const ownDirectories = ['log', 'control', 'embedded']

export interface DataDirectoryOptions {
  /** Reading makes and marks nothing. */
  readonly purpose: 'read' | 'write'
  /** Told, in a sentence, that a directory of an earlier version was marked, or that one was closed to its group. */
  readonly note?: (line: string) => void
  /**
   * Told, as a sentence without its full stop, that the marker is damaged, where the store in the directory is known all the
   * same. For what looks at damage, and only reads; without it such a directory is refused.
   */
  readonly damagedMarker?: (line: string) => void
  /** Looks at a directory of ours before anything in it is made or changed; what it throws is thrown, and nothing is. */
  readonly admit?: (path: string) => Promise<void>
  /** Default: this process. */
  readonly viewer?: Viewer
}

/**
 * The one way to a data directory, before anything in it is read or made. It gives its absolute path, through a link where
 * `data.dir` is one; inside of it no link is followed.
 *
 * A directory is ours by the marker in it. A missing or empty one is made ours, for this user alone, the marker first; one
 * of version 0.1.0, which knew no marker, is known by its layout and marked once. Any other is refused, and nothing in it
 * is touched.
 *
 * @throws TidemarkError `foreign-directory` for one that is not ours; `unsafe-path` where another user could put files
 * into it; `unknown-format` for one of a later version; `invalid-setting` where it cannot be made, or is to be read and is
 * not there; `disk-failed` and `too-many-files`.
 */
export async function openDataDirectory(directory: string, options: DataDirectoryOptions): Promise<string> {
  const { purpose, viewer = thisProcess } = options
  const asked = resolve(directory)
  try {
    const path = await found(asked, purpose)
    if (purpose === 'write') await closeEmpty(path, viewer)
    const before = await statsOf(path, viewer)
    if (before === null) throw nothingYet(asked)
    const isOpenToGroup = isOnlyOpenToGroup(before, viewer)
    if (!isOpenToGroup) checkDirectory(path, before, viewer)
    const was = await whatItIs(path, options)
    if (was === 'empty' && purpose === 'read') throw nothingYet(asked)
    const stats = isOpenToGroup ? await closed(path, before, options) : before
    await checkInside(path, stats, viewer)
    await options.admit?.(path)
    if (was === 'ours' || purpose === 'read') return path
    await mark(path)
    if (was === 'earlier')
      options.note?.(`${path} was made by an earlier version: ${markerName} marks it as Tidemark's now`)
    return path
  } catch (error) {
    throw fileFailure(error, `The data directory ${asked} cannot be used`, { path: asked })
  }
}

/**
 * The name of the directory for what belongs to a Kafka cluster. Its id is what a broker says: one that is no plain name, or
 * one of ours, is hashed, and never taken for a path.
 */
export function clusterDirectory(clusterId: string | null): string {
  if (clusterId === null) return 'kafka'
  const isName = /^[\w-][\w.-]{0,127}$/.test(clusterId) && !ownDirectories.includes(clusterId)
  return isName ? clusterId : hash('sha256', clusterId, 'hex').slice(0, 22)
}

/** What a run does not go past, also one that could do without the directory. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  'foreign-directory',
  'unsafe-path',
  'unknown-format',
  'too-many-files',
])

/** Whether a directory was refused, and not only out of reach. */
export function isRefusal(error: unknown): boolean {
  return error instanceof TidemarkError && refusals.has(error.code)
}

async function found(asked: string, purpose: DataDirectoryOptions['purpose']): Promise<string> {
  try {
    return await realpath(asked)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  if (purpose === 'read') throw nothingYet(asked)
  await mkdir(asked, { recursive: true, mode: 0o700 })
  return realpath(asked)
}

/**
 * Closes an empty directory to others before it is looked at: who has put something in it until then has made it another
 * one. A volume that is made for a container is often open to everybody, and nobody is there to close it.
 */
async function closeEmpty(path: string, viewer: Viewer): Promise<void> {
  const stats = await statsOf(path, viewer)
  if (stats?.isDirectory() !== true || stats.uid !== viewer.user) return
  if ((await contentOf(path)).length === 0) await close(path)
}

/** Closes one of ours to its group. Throws where that has no effect. */
async function closed(path: string, before: Stats, options: DataDirectoryOptions): Promise<Stats> {
  const { viewer = thisProcess, note } = options
  await close(path)
  const stats = (await statsOf(path, viewer)) ?? before
  checkDirectory(path, stats, viewer)
  note?.(`The group of ${path} could write it (mode ${modeText(before)}): it is this user's alone now`)
  return stats
}

async function checkInside(path: string, stats: Stats, viewer: Viewer): Promise<void> {
  const options = { isShared: othersReach(stats), viewer }
  for (const name of ownDirectories) await checkOwn(join(path, name), 'directory', options)
  await checkOwn(join(path, markerName), 'file', options)
}

/** Throws where it is somebody else's. */
async function whatItIs(
  path: string,
  { purpose, damagedMarker, viewer = thisProcess }: DataDirectoryOptions,
): Promise<'ours' | 'empty' | 'earlier'> {
  const marker = await readMarker(path, viewer)
  if (marker === 'whole') return 'ours'
  if (marker === 'damaged') {
    if (purpose !== 'read' || damagedMarker === undefined || !(await hasStore(path, viewer))) throw damaged(path)
    damagedMarker(`${markerName} is not what Tidemark wrote. ${remedyOfMarker}`)
    return 'ours'
  }
  // The marker may be half made.
  if ((await contentOf(path)).every(({ name }) => name === markerName)) return 'empty'
  const stranger = await findStranger(path, markerName)
  if (stranger !== null) throw notOurs(path, stranger)
  return 'earlier'
}

/** What only Tidemark makes: an embedded store and its witness, whole or not. */
async function hasStore(path: string, viewer: Viewer): Promise<boolean> {
  if ((await statsOf(join(path, 'log'), viewer))?.isDirectory() !== true) return false
  if ((await statsOf(join(path, 'log.witness'), viewer))?.isFile() !== true) return false
  const entries = await entriesIn(join(path, 'log'))
  return entries.length > 0 && isLevelContent(entries)
}

/** Throws where it is the marker of a later version. */
async function readMarker(path: string, viewer: Viewer): Promise<'whole' | 'none' | 'damaged'> {
  const file = join(path, markerName)
  const stats = await checkOwn(file, 'file', { isShared: false, viewer })
  if (stats === null) return 'none'
  const text = await readOwnFile(file, maxMarkerBytes, viewer)
  if (text === markerText) return 'whole'
  // It was being written when the process or the machine ended.
  if (text !== null && markerText.startsWith(text)) return 'none'
  const version = versionOf(text ?? '')
  if (version === null) return 'damaged'
  if (version <= markerVersion) return 'whole'
  throw new TidemarkError(
    'unknown-format',
    `The data directory ${path} is of version ${String(version)}, and this Tidemark knows version ${String(markerVersion)}. Use the version of Tidemark that made it, or name another one with --data-dir`,
    { details: { path } },
  )
}

function versionOf(text: string): number | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return null
    if (!('directory' in value) || value.directory !== 'tidemark' || !('version' in value)) return null
    return Number.isSafeInteger(value.version) ? Number(value.version) : null
  } catch {
    return null
  }
}

/** Every process writes the same bytes, so that two that come at once do no harm; on disk before anything else is. */
async function mark(path: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants
  const handle = await open(join(path, markerName), O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600)
  try {
    await handle.write(markerText, 0)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await syncDirectory(path)
}

export function nothingYet(path: string): TidemarkError {
  return new TidemarkError(
    'invalid-setting',
    `There is no data directory ${path} yet. Run a job or write a topic first, or name another one with --data-dir.`,
    { details: { setting: 'data.dir' } },
  )
}

const remedyOfMarker = `Where the directory is Tidemark's, remove ${markerName}: it is made anew where nothing else stands in it than what Tidemark makes`

function damaged(path: string): TidemarkError {
  return new TidemarkError(
    'foreign-directory',
    `The marker of ${path} (${markerName}) is not what Tidemark wrote: it is damaged, or another program's. Nothing in the directory was touched. ${remedyOfMarker}. Where it is not, name an empty or a new directory with --data-dir`,
    { details: { path } },
  )
}

function notOurs(path: string, stranger: string): TidemarkError {
  return new TidemarkError(
    'foreign-directory',
    `${path} is not Tidemark's: it has no marker (${markerName}), and ${JSON.stringify(stranger)} in it is nothing that Tidemark makes. Nothing in it was touched. Name an empty or a new directory with --data-dir; where it is an earlier version's all the same, move away what is not`,
    { details: { path } },
  )
}
