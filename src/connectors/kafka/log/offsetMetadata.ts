import { encodeCommitMetadata, readCommitMetadata } from '../../../core/commitMetadata.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { CommitMetadata } from '../../../core/ports/task.ts'

/** Kafka's `offset.metadata.max.bytes` by default, which it counts in UTF-16 units; one more fails the transaction. */
const maxUnits = 4096

/** What stands in the text of one topic only, beside what all texts of a commit have in common. */
export interface OwnFacts {
  readonly topicId?: string | undefined
  /** The leader that had taken the record before the offset, as the log counts its leaders; absent where not known. */
  readonly leaderEpoch?: number | undefined
}

/** A committed offset of the group, with the text beside it. */
export interface KafkaOffset extends OwnFacts {
  readonly offset: number
  readonly metadata: string
}

const noFacts: OwnFacts = {}

/**
 * The text beside the offset of each input: the commit's metadata, the same in each, and the topic's own facts, which earlier
 * versions do not look at. When the partition counts of many topics make it too long, each topic's text has its own count
 * only, and `wholeMetadata` puts them together again.
 */
export function offsetMetadata(
  topics: readonly string[],
  metadata: CommitMetadata,
  facts: ReadonlyMap<string, OwnFacts> = new Map(),
): ReadonlyMap<string, string> {
  const whole = encodeCommitMetadata(metadata)
  const texts = new Map(topics.map((topic) => [topic, withFacts(whole, facts.get(topic) ?? noFacts)]))
  if ([...texts.values()].every(({ length }) => length <= maxUnits)) return texts
  const { partitionCounts } = metadata
  for (const topic of topics) {
    const count = partitionCounts[topic]
    const own = encodeCommitMetadata({ ...metadata, partitionCounts: count === undefined ? {} : { [topic]: count } })
    const text = withFacts(own, facts.get(topic) ?? noFacts)
    if (text.length > maxUnits) throw tooLong(topic, text.length)
    texts.set(topic, text)
  }
  return texts
}

/** Committed offsets as they were put together by `offsetMetadata`: the texts of one commit are all the same again. */
export function wholeMetadata(
  offsets: ReadonlyMap<string, { readonly offset: number; readonly metadata: string }>,
): ReadonlyMap<string, KafkaOffset> {
  const decoded = new Map(
    [...offsets].flatMap(([topic, { metadata: text }]) => {
      const metadata = readCommitMetadata(text)
      return metadata === null ? [] : [[topic, metadata] as const]
    }),
  )
  const merged = new Map<string, Record<string, number>>()
  for (const metadata of decoded.values()) {
    const counts = merged.get(attemptOf(metadata)) ?? {}
    merged.set(attemptOf(metadata), { ...counts, ...metadata.partitionCounts })
  }
  return new Map(
    [...offsets].map(([topic, committed]) => {
      const metadata = decoded.get(topic)
      if (metadata === undefined) return [topic, committed]
      const partitionCounts = merged.get(attemptOf(metadata)) ?? metadata.partitionCounts
      const text = encodeCommitMetadata({ ...metadata, partitionCounts })
      return [topic, { offset: committed.offset, metadata: text, ...ownFacts(committed.metadata) }]
    }),
  )
}

function withFacts(text: string, { topicId, leaderEpoch }: OwnFacts): string {
  const facts = JSON.stringify({ topic: topicId, leader: leaderEpoch })
  return facts === '{}' ? text : `${text.slice(0, -1)},${facts.slice(1)}`
}

/** What is not as `withFacts` writes it, as in a text of an earlier version, is not known. */
function ownFacts(text: string): OwnFacts {
  const { topic, leader } = JSON.parse(text) as { readonly topic?: unknown; readonly leader?: unknown }
  return {
    topicId: typeof topic === 'string' ? topic : undefined,
    leaderEpoch: typeof leader === 'number' ? leader : undefined,
  }
}

function attemptOf({ epoch, nonce, lineage }: CommitMetadata): string {
  return JSON.stringify([epoch, nonce, lineage])
}

function tooLong(topic: string, units: number): TidemarkError {
  return new TidemarkError(
    'invalid-plan',
    `The metadata beside the offset of ${topic} has ${String(units)} characters, and Kafka takes ${String(maxUnits)}: use shorter names for the job, its transactionalIdPrefix or the topic`,
  )
}
