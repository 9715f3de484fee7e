import { Durations, type StepFigure } from '../../core/figures.ts'

const writeBoundsMs = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000]

/** What the senders of one sink and task count, one after the other. */
export class SenderTotals {
  rows = 0
  retries = 0
  readonly writes: Durations = new Durations(writeBoundsMs)
}

/** What a step with a follower counts besides its records. `waitingBytes`: see `FollowerProgress`. */
export function followerFigures(totals: SenderTotals, waitingBytes: number): readonly StepFigure[] {
  return [
    {
      name: 'follower_waiting_bytes',
      meaning: 'Bytes of rows in the write-ahead log, until they are written and ticked off.',
      kind: 'gauge',
      value: waitingBytes,
    },
    {
      name: 'follower_rows',
      meaning: 'Rows that were written to the target; after a restart some are written again.',
      kind: 'counter',
      value: totals.rows,
    },
    {
      name: 'follower_retries',
      meaning: 'Times that a target, or the log, did not answer and was tried again.',
      kind: 'counter',
      value: totals.retries,
    },
    {
      name: 'follower_write_seconds',
      meaning: 'Seconds that writing the rows of one epoch to the target took.',
      kind: 'durations',
      value: totals.writes,
    },
  ]
}
