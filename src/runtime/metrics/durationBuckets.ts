/** Upper bounds in ms, from a local commit to the longest checkpoint timeout anybody sets; one more bucket is above them. */
const boundsMs: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000]

/** Durations counted by bucket. */
export class DurationBuckets {
  readonly boundsMs: readonly number[] = boundsMs
  /** Per bucket, not cumulated. */
  readonly counts: number[] = Array.from({ length: boundsMs.length + 1 }, () => 0)
  sumMs = 0

  add(durationMs: number): void {
    const found = boundsMs.findIndex((bound) => durationMs <= bound)
    const bucket = found === -1 ? boundsMs.length : found
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sumMs += durationMs
  }
}
