import { isRight } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

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
