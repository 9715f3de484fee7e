import { join, resolve } from 'node:path'
import { isRight } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { controlSocketPath } from './controlSocket.ts'

/** The process that holds a data directory. */
const holderCodec = t.readonly(
  t.strict({
    pid: t.number,
    kind: t.keyof({ job: null, command: null }),
    /** The job's name; null for a command. */
    job: t.union([t.string, t.null]),
    /** Path of its control socket. */
    socket: t.string,
  }),
)
export type Holder = t.TypeOf<typeof holderCodec>

export function encodeHolder(holder: Holder): string {
  return JSON.stringify(holder)
}

/** Null for anything that is not a holder. */
export function decodeHolder(text: string): Holder | null {
  try {
    const decoded = holderCodec.decode(JSON.parse(text))
    return isRight(decoded) ? decoded.right : null
  } catch {
    return null
  }
}

export function sameHolder(a: Holder | null, b: Holder | null): boolean {
  return a !== null && b !== null && encodeHolder(a) === encodeHolder(b)
}

/** `job "reconcile" (process 123)`, for messages. */
export function displayHolder(holder: Holder | null): string {
  if (holder === null) return 'another process'
  const process = `process ${String(holder.pid)}`
  return holder.job === null ? `a command (${process})` : `job ${JSON.stringify(holder.job)} (${process})`
}

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
