import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../core/errors.ts'
import { isLevelName } from './directoryNames.ts'
import { checkOwn, othersReach, statsOf, thisProcess, type Viewer } from './ownership.ts'

export interface OwnDirectory {
  readonly path: string
  /** Whether others can reach what is in it, so that the modes there count. */
  readonly isShared: boolean
}

/**
 * The directory under these names below one of ours, made for this user alone where it is missing. None of the names is
 * followed as a link. Throws `unsafe-path`; a name that cannot be made rejects as Node says it.
 */
export async function makeOwnDirectory(
  above: string,
  names: readonly string[],
  viewer: Viewer = thisProcess,
): Promise<OwnDirectory> {
  const top = await statsOf(above, viewer)
  let path = above
  let reached = top === null || othersReach(top)
  for (const name of names) {
    path = join(path, name)
    try {
      await mkdir(path, { mode: 0o700 })
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const stats = await checkOwn(path, 'directory', { isShared: reached, viewer })
    reached &&= stats === null || othersReach(stats)
  }
  return { path, isShared: reached }
}

/**
 * A directory for LevelDB under these names below one of ours, as `makeOwnDirectory` makes it. Looks at the files that are
 * there, which LevelDB is about to read, append to and cut short by name. Throws `unsafe-path` for a link, for a file of
 * somebody else's, and for one that others can write where they can come to it.
 */
export async function makeLevelDirectory(
  above: string,
  names: readonly string[],
  viewer: Viewer = thisProcess,
): Promise<string> {
  const { path, isShared } = await makeOwnDirectory(above, names, viewer)
  for (const name of await readdir(path)) {
    if (isLevelName(name)) await checkOwn(join(path, name), 'file', { isShared, viewer })
  }
  return path
}
