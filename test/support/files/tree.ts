import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import path from 'node:path'

/** Everything below a directory, by path, with kind, mode and content: two of them are equal when nothing was touched. */
export function treeOf(directory: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  const walk = (below: string): void => {
    for (const name of readdirSync(path.join(directory, below)).toSorted()) {
      const relative = path.join(below, name)
      const absolute = path.join(directory, relative)
      const stats = lstatSync(absolute)
      const mode = (stats.mode & 0o7777).toString(8)
      if (stats.isDirectory()) {
        found[relative] = `directory ${mode}`
        walk(relative)
      } else if (stats.isSymbolicLink()) found[relative] = `link ${readlinkSync(absolute)}`
      else if (stats.isFile()) found[relative] = `file ${mode} ${readFileSync(absolute, 'base64')}`
      else found[relative] = 'other'
    }
  }
  walk('.')
  return found
}

/** Paths of what users other than the owner may read, write or enter. */
export function openToOthers(directory: string): readonly string[] {
  return Object.keys(treeOf(directory)).filter((relative) => {
    const stats = lstatSync(path.join(directory, relative))
    return !stats.isSymbolicLink() && (stats.mode & 0o077) !== 0
  })
}
