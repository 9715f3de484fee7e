import type { Dirent } from 'node:fs'

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
