import { TidemarkError } from './errors.ts'
import { offsetFormat, offsetPosition, offsetPositions } from './offsetPosition.ts'
import type { OffsetRange } from './ports/changelog.ts'
import type { Position, PositionFormat, PositionRange } from './ports/position.ts'
import type { RecordPosition } from './record.ts'

const longestName = 249

/** There is no topic of this name. `where`: in words, with a space before it. */
export function unknownTopic(name: string, where = ''): TidemarkError {
  const topic = name.slice(0, longestName)
  return new TidemarkError(
    'unknown-topic',
    `Topic ${topic} does not exist${where}. Create it with: npx tidemark topic create ${topic}`,
    { details: { topic } },
  )
}

/** A list names an input that is not there, or is no more; one that the job had before can be given up. */
export function inputGone(topic: string, where = ''): TidemarkError {
  return new TidemarkError(
    'unknown-topic',
    `Input topic ${topic} does not exist${where}. Create it with: npx tidemark topic create ${topic}; or, where it was deleted for good, go on without it by --drop-input ${topic}`,
    { details: { topic } },
  )
}

export function noTopicMatches(pattern: RegExp, where = ''): TidemarkError {
  return new TidemarkError(
    'unknown-topic',
    `No topic${where} matches ${String(pattern)}. Create one with: npx tidemark topic create <name>, or correct the pattern`,
  )
}

/** The topic that was read is gone, and another one has its name: offsets of the one mean nothing in the other. */
export function topicRecreated(topic: string, read: string | null, now: string | null): TidemarkError {
  return new TidemarkError(
    'topic-recreated',
    `Topic ${topic} is another topic than the one that was read: its id was ${read ?? 'unknown'} and is ${now ?? 'unknown'}, so it was deleted and made anew. Give its old position up with --drop-input ${topic}, and it is read from its beginning, or begin anew altogether with --reset-offsets earliest; where its records were copied with their offsets (a migrated cluster), go on at the committed offset with --accept-topic ${topic}`,
    { details: { topic, read, now } },
  )
}

/** A topic of a group that may not grow has another partition count than when the job began. */
export function partitionsChanged(topic: string, recorded: number, now: number): TidemarkError {
  return new TidemarkError(
    'partitions-changed',
    `Topic ${topic} had ${String(recorded)} partitions when the job began and has ${String(now)} now, so keys have moved away from their state. Run the job under a new name and consumer group, or restore the partition count`,
    { details: { topic, recorded, now } },
  )
}

/** The next record to read is outside of what its partition holds. */
export function dataRemoved(
  { topic, partition }: Pick<RecordPosition, 'topic' | 'partition'>,
  position: Position,
  { start, end }: PositionRange,
  { compare, show, write }: PositionFormat,
): TidemarkError {
  const [reason, advice] =
    compare(position, start) < 0
      ? ['retention removed records before they were read', ', and give the topic a longer retention']
      : ['the topic was replaced or truncated', '']
  return new TidemarkError(
    'data-removed',
    `The next record to read is ${topic} ${String(partition)}@${show(position)}, and the topic now holds ${show(start)} to ${show(end)}: ${reason}. Accept the loss with --reset-offsets earliest${advice}`,
    { details: { topic, partition, offset: write(position), start: write(start), end: write(end) } },
  )
}

/** The same, of a log that counts its records. */
export function offsetRemoved(record: RecordPosition, range: OffsetRange): TidemarkError {
  return dataRemoved(record, offsetPosition(record.offset), offsetPositions(range), offsetFormat)
}
