import type { TidemarkError } from '../errors.ts'
import type { OutputRecord } from '../record.ts'

/** How a sink's records relate to the commit. */
export type Guarantee = 'exactly-once' | 'at-least-once' | 'none'

/** What is known of the topics that a task's sinks append to; the transaction of an epoch appends. */
export interface TaskOutputs {
  /**
   * Why a topic is known not to take this record; null where nothing is known against it. What is found out only by sending
   * fails the epoch with `RecordsRefused`, and is known here when the epoch is replayed.
   */
  refusal(record: OutputRecord): TidemarkError | null
}
