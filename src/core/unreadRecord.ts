import type { TidemarkError } from './errors.ts'
import { StreamRecord, type RecordPosition } from './record.ts'

export interface UnreadFields extends RecordPosition {
  /** Where reading goes on: behind the record, or behind the whole batch that cannot be read. */
  readonly next: number
  readonly timestamp: number
  /** What it takes in its log; null: not known. */
  readonly bytes: number | null
  /** True when somebody has asked to pass it: `--skip`. */
  readonly skipped: boolean
}

/**
 * Stands for what a log has at an offset and a reader does not hand out: a record that is too large to be held, or a batch
 * that cannot be read and is passed. It has no key, value or headers. It is the last of what its reader hands out before
 * `next`, so that no commit stands between the two.
 */
export class UnreadRecord extends StreamRecord {
  readonly error: TidemarkError
  readonly next: number
  readonly bytes: number | null
  readonly skipped: boolean

  constructor(error: TidemarkError, { topic, partition, offset, next, timestamp, bytes, skipped }: UnreadFields) {
    super(topic, partition, offset, timestamp, null, [], null, null)
    this.error = error
    this.next = next
    this.bytes = bytes
    this.skipped = skipped
  }
}
