import { Level } from 'level'
import { messageOf } from '../core/errors.ts'

/** An open LevelDB whose keys and values are bytes. */
export type LevelDatabase = Level<Buffer, Buffer> & {
  /** Not in browsers, so that `level` does not type it. */
  compactRange?(from: Buffer, to: Buffer): Promise<void>
}

export interface LevelTuning {
  /** Default true. */
  readonly compression?: boolean
  /** Bytes of uncompressed blocks kept in memory, outside the heap; default 8 MiB. */
  readonly cacheSize?: number
  /** Bytes of unsorted writes kept in memory, at most twice; default 4 MiB. */
  readonly writeBufferSize?: number
  readonly maxFileSize?: number
}

/** Opens, or makes, the LevelDB in a directory; see `levelFault` for what it throws. */
export async function openLevel(directory: string, tuning: LevelTuning = {}): Promise<LevelDatabase> {
  const db: LevelDatabase = new Level<Buffer, Buffer>(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    ...tuning,
  })
  await db.open()
  return db
}

/** What is wrong, as far as LevelDB says it; `reason` is in its own words. */
export interface LevelFault {
  readonly kind: 'locked' | 'corrupt' | 'file-gone' | 'io' | 'other'
  readonly reason: string
}

/** Looks at the whole chain of causes: what cannot be opened says so, and its reason stands in the cause. */
export function levelFault(error: unknown): LevelFault {
  const codes: unknown[] = []
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current) codes.push(current.code)
  }
  const reason = messageOf(error instanceof Error ? (error.cause ?? error) : error)
  if (codes.includes('LEVEL_LOCKED')) return { kind: 'locked', reason }
  if (codes.includes('LEVEL_CORRUPTION')) return { kind: 'corrupt', reason }
  if (!codes.includes('LEVEL_IO_ERROR')) return { kind: 'other', reason }
  return { kind: /No such file or directory/.test(reason) ? 'file-gone' : 'io', reason }
}
