import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { isMissing } from './ownership.ts'

/** What file systems, servers of files, desktops and git leave in a directory that is empty otherwise. */
const bystanders = /^(lost\+found|\.snapshot|\.nfs[\da-f]+|\.DS_Store|\.gitkeep|\.gitignore)$/

/** Whether something of this name says nothing of whose a directory is. */
export function isBystander(name: string): boolean {
  return bystanders.test(name)
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
