import type { TidemarkError } from '../../../core/errors.ts'
import { ownTopicsOf } from '../../../core/ownNames.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import { inputGone, noTopicMatches } from '../../../core/topicErrors.ts'
import { selectInputs } from '../../../core/topicSelection.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal, asKafkaError } from '../client/kafkaErrors.ts'
import { findTopic } from '../client/topicDirectory.ts'
import { kafkaError } from '../protocol/errorCodes.ts'

/** What is to be read, and by which job. */
export type InputSpec = Pick<JobLogSpec, 'job' | 'group' | 'inputs' | 'dropInputs'>

/**
 * Partition count by topic of everything that is selected now, in order of their names; a pattern chooses none of the topics that the job keeps for
 * itself, to which each of its commits adds a record. Rejects with `unknown-topic` for a named topic that does not exist and
 * is none of those that may be missing, and for a pattern that nothing matches.
 */
export async function resolveInputs(
  cluster: Pick<KafkaCluster, 'metadata'>,
  spec: InputSpec,
): Promise<ReadonlyMap<string, number>> {
  const named = spec.inputs.flatMap((selection) => (selection.kind === 'topics' ? selection.topics : []))
  // A pattern needs the names of all topics.
  const hasPattern = spec.inputs.some(({ kind }) => kind === 'pattern')
  const { topics } = await cluster.metadata(hasPattern ? null : named)
  const byName = new Map(topics.map((topic) => [topic.topic, topic]))
  const own = ownTopicsOf(spec)
  const found = selectInputs(spec, {
    partitions: (name) => {
      const { error, partitions } = byName.get(name) ?? { error: kafkaError.unknownTopicOrPartition, partitions: [] }
      if (error === kafkaError.none) return partitions.length
      if (error === kafkaError.unknownTopicOrPartition) return undefined
      throw asKafkaError(new BrokerRefusal(error, `Topic ${name}`), `Looking topic ${name} up failed`)
    },
    names: topics.flatMap(({ topic, internal, error }) =>
      !internal && !own.has(topic) && error === kafkaError.none ? [topic] : [],
    ),
    missing: (input) => (typeof input === 'string' ? inputGoneInKafka(input) : noTopicMatches(input, ' in Kafka')),
  })
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export function inputGoneInKafka(topic: string): TidemarkError {
  return inputGone(topic, ' in Kafka')
}

/** Whether a topic is certainly there no more; whoever may not see it is not told. */
export async function isGone(cluster: KafkaCluster, name: string): Promise<boolean> {
  return (await findTopic(cluster, name)) === null
}
