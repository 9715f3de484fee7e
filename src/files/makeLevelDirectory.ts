import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isLevelName } from './levelNames.ts'
import { makeOwnDirectory } from './makeOwnDirectory.ts'
import { checkOwn, thisProcess, type Viewer } from './ownership.ts'

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
