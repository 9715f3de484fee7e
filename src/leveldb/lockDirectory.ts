import { mkdir, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { TidemarkError } from '../core/errors.ts'
import { outOfFiles } from '../core/outOfFiles.ts'
import { isLevelName } from '../files/directoryNames.ts'
import { makeLevelDirectory } from '../files/makeOwnDirectory.ts'
import { levelFault, openLevel } from './openLevel.ts'
import { readSteadily } from './readSteadily.ts'
import { verifyLevel, type LevelFindings } from './verifyLevel.ts'

/** A lock that this process holds. */
export interface DirectoryLock {
  release(): Promise<void>
}

/**
 * Takes the lock that stands in this directory; null: another process, or this one, holds it. It is the lock of an empty
 * LevelDB, which the operating system lets go when the process dies, whatever the reason. What that LevelDB stores is of no
 * worth: where it is damaged it is made anew.
 *
 * @throws TidemarkError `disk-failed` when the directory cannot be made or written; `unsafe-path` and `too-many-files`.
 */
export async function lockDirectory(place: string): Promise<DirectoryLock | null> {
  try {
    await mkdir(path.dirname(place), { recursive: true, mode: 0o700 })
    await makeLevelDirectory(path.dirname(place), [path.basename(place)])
    if (!(await removeDamaged(place))) return null
    const lock = await openLevel(place)
    return { release: () => lock.close() }
  } catch (error) {
    const { kind, reason } = levelFault(error)
    if (kind === 'locked') return null
    if (error instanceof TidemarkError) throw error
    const what = `The lock in ${place} cannot be made or opened`
    const tooMany = outOfFiles(error, what)
    if (tooMany !== null) throw tooMany
    throw new TidemarkError('disk-failed', `${what}: ${reason}. Set data.dir to a directory that this user can write`, {
      cause: error,
      details: { directory: place },
    })
  }
}

/**
 * But for the file that is the lock: whoever holds it goes on holding it, and needs nothing of the rest. False: somebody is
 * opening it just now.
 */
async function removeDamaged(place: string): Promise<boolean> {
  const isWhole = ({ damages, tornTail, tornManifest }: LevelFindings): boolean =>
    damages.length === 0 && tornTail === null && tornManifest === null
  const findings = await readSteadily([place], () => verifyLevel(place), isWhole)
  if (findings === null) return false
  if (isWhole(findings)) return true
  for (const name of await readdir(place)) {
    if (name !== 'LOCK' && isLevelName(name)) await rm(path.join(place, name), { force: true })
  }
  return true
}
