import { within, type Clock } from '../../core/ports/clock.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { OutputRecord } from '../../core/record.ts'
import type { LineFormat } from '../output/recordLines.ts'
import { splitLines } from '../output/splitLines.ts'

/** Longest line that is read; a record of 16 MiB in base64 or in JSON escapes fits. */
export const maxLineBytes = 128 * 1024 * 1024

/** Lines are appended when they have so many bytes together, */
const batchBytes = 4 * 1024 * 1024
/** or when no more come for so long. */
const lingerMs = 50

/** What `topic write` was asked for. */
export interface WriteRequest {
  readonly topic: string
  readonly format: LineFormat
  /** Overrules the partition that a line names; null: the line's, else by key. */
  readonly partition: number | null
}

/**
 * Appends one record per line and resolves with their number. Lines are appended in batches, and a batch does not wait for
 * a slow producer: its lines are visible 50 ms after they came. Memory is bounded by a batch of 4 MiB, one chunk and one line.
 *
 * A line that cannot be read stops the command with `invalid-input`; the lines before it are written, and the message says
 * how many they are.
 */
export async function writeLines(
  append: (records: readonly OutputRecord[]) => Promise<number>,
  input: AsyncIterable<Buffer>,
  { topic, format, partition: fixed }: WriteRequest,
  clock: Clock,
): Promise<number> {
  const chunks = splitLines(input, maxLineBytes)
  let batch: OutputRecord[] = []
  let bytes = 0
  let number = 0
  let written = 0
  /** Throws for the first line that cannot be read; those before it are in the batch. */
  const add = (lines: readonly Buffer[]): void => {
    const now = clock.now()
    for (const line of lines) {
      number += 1
      const { partition, timestamp, ...record } = format(line, number)
      batch.push({ topic, ...record, partition: fixed ?? partition, timestamp: timestamp ?? now })
      bytes += line.length
    }
  }
  const flush = async (): Promise<void> => {
    const records = batch
    batch = []
    bytes = 0
    if (records.length > 0) written += await append(records)
  }
  try {
    let arriving = chunks.next()
    for (;;) {
      if (batch.length > 0 && !(await arrivesSoon(arriving, clock))) await flush()
      const { done, value: lines } = await arriving
      if (done === true) break
      // Asked for before the append, so that input is read while the store writes.
      arriving = chunks.next()
      arriving.catch(() => undefined)
      add(lines)
      if (bytes >= batchBytes) await flush()
    }
    await flush()
    return written
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'invalid-input') throw error
    await flush()
    throw withCount(error, written)
  } finally {
    // Not waited for: it ends only when the read that is under way does.
    chunks.return().catch(() => undefined)
  }
}

function arrivesSoon(arriving: Promise<unknown>, clock: Clock): Promise<boolean> {
  const arrived = arriving.then(
    () => true,
    () => true,
  )
  return within(clock, lingerMs, arrived, () => false)
}

function withCount(error: TidemarkError, written: number): TidemarkError {
  const before = ['Nothing was written.', 'The line before it was written.'][written]
  const message = `${error.message} ${before ?? `The ${String(written)} lines before it were written.`}`
  return new TidemarkError(error.code, message, { cause: error, details: error.details })
}
