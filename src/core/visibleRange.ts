import { sleep, type Clock } from './ports/clock.ts'
import { TidemarkError } from './errors.ts'
import type { OffsetRange } from './ports/changelog.ts'

/** How long the marker of an acknowledged commit is waited for. */
const markerMs = 10_000
const firstPollMs = 5
const longestPollMs = 100

/** A changelog as a log shows it. */
export interface ChangelogEnds {
  /** What can be read: up to the last stable offset. */
  range(): Promise<OffsetRange>
  /** Where the next record will stand, behind all that is not decided yet. */
  writtenEnd(): Promise<number>
}

/**
 * The range of a changelog as soon as it reaches what is known to be committed: a log may acknowledge a commit some time
 * before its marker moves the last stable offset. One that was cut short is returned as it is.
 *
 * @throws `system-unreachable` when all is written, and its marker is still not there after 10 s.
 */
export async function visibleRange(clock: Clock, committedEnd: number, ends: ChangelogEnds): Promise<OffsetRange> {
  const until = clock.monotonicMs() + markerMs
  for (let pollMs = firstPollMs; ; pollMs = Math.min(longestPollMs, pollMs * 2)) {
    const range = await ends.range()
    if (range.end >= committedEnd) return range
    if (clock.monotonicMs() >= until) {
      if ((await ends.writtenEnd()) < committedEnd) return range
      throw new TidemarkError(
        'system-unreachable',
        `The changelog is committed up to ${String(committedEnd)} and can be read up to ${String(range.end)} only: the marker of a transaction has not arrived there for ${String(markerMs)} ms. Are all brokers up, with a leader for each partition?`,
        { details: { committedEnd, end: range.end } },
      )
    }
    await sleep(clock, pollMs)
  }
}
