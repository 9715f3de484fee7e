import { openSync, readFileSync, writeSync } from 'node:fs'
import { tap } from 'rxjs'
import { defineJob, type Job, type SettingSpecs } from 'tidemark'
import { contextWith } from './contextWith.ts'

/** Where a watched job notes what it has taken in; the file survives a kill -9 of the process, synced or not. */
export const watchFileVariable = 'TIDEMARK_WATCH_FILE'

const slotBytes = 8

/**
 * The same job, which notes for each partition the offset after the last record its pipeline was given, so that a test
 * knows whether a process had records uncommitted at the moment it was killed.
 */
export function watchedJob<Specs extends SettingSpecs>(job: Job<Specs>): Job<Specs> {
  const file = process.env[watchFileVariable]
  if (file === undefined) return job
  const descriptor = openSync(file, 'r+')
  const note = Buffer.alloc(slotBytes)
  return defineJob({
    ...job,
    pipeline: (context) =>
      job.pipeline(
        contextWith(context, (attempt) => ({
          source: (...args) =>
            attempt.source(...args).pipe(
              tap(({ partition, offset }) => {
                note.writeDoubleBE(offset + 1)
                writeSync(descriptor, note, 0, slotBytes, partition * slotBytes)
              }),
            ),
        })),
      ),
  })
}

/** The offsets after the last records taken in, by partition. */
export function takenOffsets(file: string): readonly number[] {
  const bytes = readFileSync(file)
  return Array.from({ length: bytes.length / slotBytes }, (_, partition) => bytes.readDoubleBE(partition * slotBytes))
}

/** What a watch file holds before anything was taken. */
export function emptyWatchFile(partitions: number): Buffer {
  return Buffer.alloc(partitions * slotBytes)
}
