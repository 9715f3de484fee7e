import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { isMissing } from './ownership.ts'

/** What file systems, servers of files, desktops and git leave in a directory that is empty otherwise. */
const bystanders = /^(lost\+found|\.snapshot|\.nfs[\da-f]+|\.DS_Store|\.gitkeep|\.gitignore)$/

/** What is in a directory, but for what says nothing of whose it is; nothing where there is no such directory. */
export async function contentOf(directory: string): Promise<readonly Dirent[]> {
  return (await entriesIn(directory)).filter(({ name }) => !bystanders.test(name))
}

/** All that is in a directory; nothing where there is no such directory. */
export async function entriesIn(directory: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** The names that LevelDB gives to its files. */
const levelName = /^(CURRENT|LOCK|LOG|LOG\.old|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))$/
/** LevelDB makes its LOG first of all, and the others soon after. */
const everPresent = /^(CURRENT|LOCK|LOG|MANIFEST-\d+)$/

export function isLevelName(name: string): boolean {
  return levelName.test(name)
}

/** Whether a directory holds what LevelDB has made, whole or damaged or half made, and nothing else. */
export function isLevelContent(entries: readonly Dirent[]): boolean {
  if (entries.length === 0) return true
  return (
    entries.every((entry) => entry.isFile() && isLevelName(entry.name)) &&
    entries.some(({ name }) => everPresent.test(name))
  )
}

/** The names of what is in a directory; null: there is no such directory. */
export async function namesIn(directory: string): Promise<readonly string[] | null> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}
