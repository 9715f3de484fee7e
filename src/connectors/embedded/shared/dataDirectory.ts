import { join, resolve } from 'node:path'
import { controlSocketPath } from './controlSocket.ts'

/** Where everything stands below `data.dir`. */
export interface DataDirectory {
  /** Absolute. */
  readonly path: string
  /** The LevelDB directory. */
  readonly log: string
  /** Who holds it, as JSON; only a hint, the lock inside `log` decides. */
  readonly holderFile: string
  /** The control socket of this process, alone in a directory that only its owner can enter. */
  readonly socket: string
}

export function dataDirectory(directory: string): DataDirectory {
  const path = resolve(directory)
  return { path, log: join(path, 'log'), holderFile: join(path, 'holder.json'), socket: controlSocketPath(path) }
}
