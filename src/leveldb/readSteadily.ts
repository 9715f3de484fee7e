import path from 'node:path'
import { namesIn } from '../files/directoryNames.ts'
import { statsOf, thisProcess } from '../files/ownership.ts'

/** How often is read what changes meanwhile. */
const maxReadings = 5

/**
 * Reads files to which somebody may be writing. A reading that says that all is whole is taken as it is; any other one only
 * when no name, size or time has changed meanwhile: else what was read may never have been, and it is read again. Null:
 * something has changed each time.
 *
 * What LevelDB leaves is whole at every moment, so that only damage is read twice in the same way.
 */
export async function readSteadily<T>(
  places: readonly string[],
  read: () => Promise<T>,
  isWhole: (reading: T) => boolean,
): Promise<T | null> {
  for (let count = 0; count < maxReadings; count += 1) {
    const before = await fingerprint(places)
    const reading = await read()
    if (isWhole(reading) || before === (await fingerprint(places))) return reading
  }
  return null
}

/** Names, sizes and times of files, and of all that is in directories, without what LevelDB only notes. */
async function fingerprint(places: readonly string[]): Promise<string> {
  const files: string[] = []
  for (const place of places) {
    const isDirectory = (await statsOf(place, thisProcess))?.isDirectory() === true
    const names = ((isDirectory ? await namesIn(place) : null) ?? []).filter(
      (name) => !/^(LOG|LOG\.old|LOCK)$/.test(name),
    )
    files.push(place, ...names.toSorted().map((name) => path.join(place, name)))
  }
  const lines: string[] = []
  for (const file of files) {
    const stats = await statsOf(file, thisProcess)
    if (stats === null) continue
    // Of a directory its names tell all, and its time tells also of those that are left out.
    lines.push(
      stats.isDirectory() ? file : `${file} ${String(stats.ino)} ${String(stats.size)} ${String(stats.mtimeMs)}`,
    )
  }
  return lines.join('\n')
}
