import { TidemarkError } from './errors.ts'

/** The topic that was read is gone, and another one has its name: offsets of the one mean nothing in the other. */
export function topicRecreated(topic: string, read: string | null, now: string | null): TidemarkError {
  return new TidemarkError(
    'topic-recreated',
    `Topic ${topic} is another topic than the one that was read: its id was ${read ?? 'unknown'} and is ${now ?? 'unknown'}, so it was deleted and made anew. Give its old position up with --drop-input ${topic}, and it is read from its beginning, or begin anew altogether with --reset-offsets earliest; where its records were copied with their offsets (a migrated cluster), go on at the committed offset with --accept-topic ${topic}`,
    { details: { topic, read, now } },
  )
}
