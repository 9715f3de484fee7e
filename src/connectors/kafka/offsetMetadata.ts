import { decodeCommitMetadata, encodeCommitMetadata } from '../../core/commitMetadata.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { CommitMetadata } from '../../core/task.ts'
import type { CommittedOffset } from '../../core/taskLog.ts'

/** Kafka's `offset.metadata.max.bytes` by default, which it counts in UTF-16 units; one more fails the transaction. */
const maxUnits = 4096

/**
 * The text beside the offset of each input. All are the same, unless the partition counts of many topics make it too long:
 * then each topic's text has its own count only, and `wholeMetadata` puts them together again.
 */
export function offsetMetadata(topics: readonly string[], metadata: CommitMetadata): ReadonlyMap<string, string> {
  const whole = encodeCommitMetadata(metadata)
  if (whole.length <= maxUnits) return new Map(topics.map((topic) => [topic, whole]))
  const { partitionCounts } = metadata
  const texts = new Map<string, string>()
  for (const topic of topics) {
    const count = partitionCounts[topic]
    const text = encodeCommitMetadata({ ...metadata, partitionCounts: count === undefined ? {} : { [topic]: count } })
    if (text.length > maxUnits) throw tooLong(topic, text.length)
    texts.set(topic, text)
  }
  return texts
}

/** Undoes the splitting of `offsetMetadata`: the texts of one commit are all the same again. */
export function wholeMetadata(offsets: ReadonlyMap<string, CommittedOffset>): ReadonlyMap<string, CommittedOffset> {
  const texts = new Set([...offsets.values()].map(({ metadata }) => metadata).filter((text) => text !== ''))
  if (texts.size <= 1) return offsets
  const decoded = new Map(
    [...offsets].flatMap(([topic, { metadata }]) =>
      metadata === '' ? [] : [[topic, decodeCommitMetadata(metadata)] as const],
    ),
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
      return [topic, { offset: committed.offset, metadata: encodeCommitMetadata({ ...metadata, partitionCounts }) }]
    }),
  )
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
