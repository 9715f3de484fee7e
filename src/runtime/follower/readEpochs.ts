import { TidemarkError } from '../../core/errors.ts'
import type { TaskWriteAheadLog } from '../../core/ports/writeAheadLog.ts'
import { decodeRowChunk, type LoggedRow, type RowChunk } from './rowChunk.ts'

/** All rows of one sink in one epoch, as they stand in the write-ahead log. */
export interface LoggedEpoch extends Omit<RowChunk, 'index' | 'last'> {
  /** Behind its last chunk. */
  readonly end: number
  /** Of its chunks. */
  readonly bytes: number
}

/**
 * The epochs of one sink from an offset on, as far as they show now: one that is committed may come some ms later. Memory: the
 * rows of one epoch, and a batch of the log.
 *
 * @throws TidemarkError `data-removed` where the log begins behind the offset, or lacks a part of an epoch; `corrupt-store`.
 */
export async function* readEpochs(
  log: TaskWriteAheadLog,
  sink: string,
  from: number,
): AsyncGenerator<LoggedEpoch, void> {
  const { start, end } = await log.range()
  if (from < start) throw removed(sink, `it begins at ${String(start)}, and is to be read from ${String(from)} on`)
  let part: { readonly head: RowChunk; readonly rows: LoggedRow[]; chunks: number; bytes: number } | null = null
  if (from >= end) return
  for await (const batch of log.read(from, end)) {
    for (const { sink: of, offset, bytes } of batch) {
      if (of !== sink) continue
      const chunk = decodeRowChunk(bytes)
      part ??= { head: chunk, rows: [], chunks: 0, bytes: 0 }
      if (chunk.index !== part.chunks || chunk.epoch !== part.head.epoch || chunk.nonce !== part.head.nonce) {
        throw removed(sink, `a part of epoch ${String(part.head.epoch)} is missing at ${String(offset)}`)
      }
      for (const row of chunk.rows) part.rows.push(row)
      part.chunks += 1
      part.bytes += bytes.length
      if (!chunk.last) continue
      const { epoch, nonce, lineage, baseMicros, previous } = chunk
      yield { epoch, nonce, lineage, baseMicros, previous, rows: part.rows, end: offset + 1, bytes: part.bytes }
      part = null
    }
  }
}

/** Rows that were committed for a target are gone before they were sent. */
export function removed(sink: string, what: string): TidemarkError {
  return new TidemarkError(
    'data-removed',
    `The write-ahead log of sink '${sink}' has lost rows that were not sent yet: ${what}. Nothing but Tidemark may remove from it. Restore it, or give them up and begin anew with --reset-offsets <mode> --allow-dropped`,
    { details: { sink } },
  )
}
