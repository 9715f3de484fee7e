import { chownSync, lstatSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { thisProcess, type Viewer } from '../../../src/files/ownership.ts'

/** Nobody on this machine. */
export const foreignUser = 47_110

/**
 * Gives files to another user, where this process may: as root. Elsewhere they only look like another user's to the viewer
 * that is returned, and the code that looks at them is the same.
 */
export function givenAway(...paths: readonly string[]): Viewer {
  if (process.geteuid?.() === 0) {
    for (const path of paths) chownSync(path, foreignUser, foreignUser)
    return thisProcess
  }
  const inodes = new Set(paths.map((path) => lstatSync(path).ino))
  return {
    user: thisProcess.user,
    groups: thisProcess.groups,
    lstat: async (path) => {
      const stats = await lstat(path)
      if (inodes.has(stats.ino)) stats.uid = foreignUser
      return stats
    },
  }
}
