import { TidemarkError } from './errors.ts'

/** A topic of a group that may not grow has another partition count than when the job began. */
export function partitionsChanged(topic: string, recorded: number, now: number): TidemarkError {
  return new TidemarkError(
    'partitions-changed',
    `Topic ${topic} had ${String(recorded)} partitions when the job began and has ${String(now)} now, so keys have moved away from their state. Run the job under a new name and consumer group, or restore the partition count`,
    { details: { topic, recorded, now } },
  )
}
