import { TidemarkError } from '../../../core/errors.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal, asKafkaError } from '../client/kafkaErrors.ts'
import { ownTopicsOf } from './ownTopics.ts'
import { kafkaError } from '../protocol/errorCodes.ts'
import type { TopicMetadata } from '../protocol/metadata.ts'

/** What is to be read, and by which job. */
export type InputSpec = Pick<JobLogSpec, 'job' | 'group' | 'inputs' | 'dropInputs'>

/**
 * Partition count by topic of everything that is selected now; a pattern chooses none of the topics that the job keeps for
 * itself, to which each of its commits adds a record. Rejects with `unknown-topic` for a named topic that does not exist and
 * is none of those that may be missing, and for a pattern that nothing matches.
 */
export async function resolveInputs(
  cluster: Pick<KafkaCluster, 'metadata'>,
  { inputs: selections, dropInputs = [], ...owner }: InputSpec,
): Promise<ReadonlyMap<string, number>> {
  const own = ownTopicsOf(owner)
  const named = selections.flatMap((selection) => (selection.kind === 'topics' ? selection.topics : []))
  const patterns = selections.flatMap((selection) => (selection.kind === 'pattern' ? [selection.pattern] : []))
  // A pattern needs the names of all topics.
  const { topics } = await cluster.metadata(patterns.length > 0 ? null : named)
  const found = new Map<string, number>()
  for (const name of named) {
    const topic = topics.find((candidate) => candidate.topic === name)
    if (topic === undefined || topic.error === kafkaError.unknownTopicOrPartition) {
      if (dropInputs.includes(name)) continue
      throw inputGone(name)
    }
    found.set(name, countOf(topic))
  }
  for (const pattern of patterns) {
    const matching = topics.filter(
      ({ topic, internal, error }) =>
        !internal && !own.has(topic) && error === kafkaError.none && matches(pattern, topic),
    )
    if (matching.length === 0) throw nothingMatches(pattern)
    for (const topic of matching) found.set(topic.topic, countOf(topic))
  }
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Throws `invalid-plan` when topics that belong together have different numbers of partitions. */
export function checkCopartitioned(counts: ReadonlyMap<string, number>): void {
  if (new Set(counts.values()).size <= 1) return
  const listed = [...counts].map(([topic, count]) => `${topic} ${String(count)}`).join(', ')
  throw new TidemarkError(
    'invalid-plan',
    `Several sources, or state, need topics with equal partition counts, and these have: ${listed}. Make the topics anew with equal counts`,
  )
}

/** An input that a list names does not exist; one that the job had before can be given up. */
export function inputGone(name: string): TidemarkError {
  return new TidemarkError(
    'unknown-topic',
    `Input topic ${name} does not exist in Kafka. Create it with: npx tidemark topic create ${name}; or, where it was deleted for good, go on without it by --drop-input ${name}`,
    { details: { topic: name } },
  )
}

/** Whether a topic is certainly there no more; whoever may not see it is not told. */
export async function isGone(cluster: KafkaCluster, name: string): Promise<boolean> {
  const { topics } = await cluster.metadata([name])
  return topics.some(({ topic, error }) => topic === name && error === kafkaError.unknownTopicOrPartition)
}

function countOf({ topic, error, partitions }: TopicMetadata): number {
  if (error === kafkaError.none) return partitions.length
  throw asKafkaError(new BrokerRefusal(error, `Topic ${topic}`), `Looking topic ${topic} up failed`)
}

/** With the flag g or y a pattern remembers where it stopped. */
function matches(pattern: RegExp, name: string): boolean {
  return new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, '')).test(name)
}

function nothingMatches(pattern: RegExp): TidemarkError {
  return new TidemarkError(
    'unknown-topic',
    `No topic in Kafka matches ${String(pattern)}. Create one with: npx tidemark topic create <name>, or correct the pattern`,
  )
}
