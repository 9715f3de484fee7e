import { rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../core/errors.ts'
import { entriesIn, isLevelName } from './directoryNames.ts'
import { isMissing } from './ownership.ts'

/**
 * Removes what LevelDB has made in a directory, and the directory when it is empty then. Gives the paths of what is left:
 * nobody's here. A link is left too, and never followed.
 */
export async function clearLevelDirectory(directory: string): Promise<readonly string[]> {
  const left: string[] = []
  for (const entry of await entriesIn(directory)) {
    const path = join(directory, entry.name)
    if (entry.isFile() && isLevelName(entry.name)) await unlink(path)
    else left.push(path)
  }
  if (left.length === 0) await removeEmpty(directory)
  return left
}

/**
 * Removes the local state of all jobs of the embedded world, `<job>/0/<task>` with LevelDB's files in it, and the
 * directories that are empty then. Gives the paths of what is left, because it is nothing that Tidemark makes.
 */
export async function clearLocalState(directory: string): Promise<readonly string[]> {
  return clearLevels(directory, 3)
}

/** `depth` levels of directories above those of LevelDB. */
async function clearLevels(directory: string, depth: number): Promise<readonly string[]> {
  if (depth === 0) return clearLevelDirectory(directory)
  const left: string[] = []
  for (const entry of await entriesIn(directory)) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) left.push(...(await clearLevels(path, depth - 1)))
    else left.push(path)
  }
  if (left.length === 0) await removeEmpty(directory)
  return left
}

/** Removes a file of ours; gives its path when it is something else, which is left. */
export async function clearFile(file: string): Promise<readonly string[]> {
  try {
    await unlink(file)
    return []
  } catch (error) {
    if (isMissing(error)) return []
    const code = codeOf(error)
    if (code === 'EISDIR' || code === 'EPERM') return [file]
    throw error
  }
}

async function removeEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory)
  } catch (error) {
    // Something was put there meanwhile, or it is gone already.
    const code = codeOf(error)
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT' && code !== 'EEXIST') throw error
  }
}
