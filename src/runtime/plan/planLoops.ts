import { TidemarkError } from '../../core/errors.ts'
import type { PlannedSink } from '../attempt/attemptContext.ts'
import { upstreamOf, type PlanEdge, type PlanNode } from './planGraph.ts'
import type { PlannedSource } from './plannedSource.ts'
import { selects } from '../../core/topicSelection.ts'

/** What the plan knows of a job's ways in and out. */
export interface PlannedWays {
  readonly job: string
  readonly sources: readonly PlannedSource[]
  readonly sinks: readonly PlannedSink[]
  readonly nodes: readonly PlanNode[]
  readonly edges: readonly PlanEdge[]
}

/**
 * Finds sinks that write what the job itself reads; a topic that is chosen per record is not known here. Returns a warning
 * for each.
 *
 * @throws TidemarkError `invalid-plan` for dead letters: a bad record would come back as a bad record, longer each time.
 */
export function findLoops({ job, sources, sinks, nodes, edges }: PlannedWays): readonly string[] {
  return sinks.flatMap(({ step, spec }) =>
    spec.topics.flatMap((topic) => {
      const reader = sources.find(({ topics }) => selects(topics, topic))
      if (reader === undefined) return []
      if (takesDeadLetters(step, nodes, edges)) throw deadLetterLoop(job, step, topic, reader)
      return [
        `${step} writes topic ${topic}, which ${reader.step} reads: each record comes back, for ever unless the pipeline ends that itself. Give the sink another topic${remedyOf(reader)}`,
      ]
    }),
  )
}

/** Topics that dead letters go to, as far as the plan knows them. */
export function deadLetterTopics({ sinks, nodes, edges }: Omit<PlannedWays, 'job' | 'sources'>): readonly string[] {
  return sinks.flatMap(({ step, spec }) => (takesDeadLetters(step, nodes, edges) ? spec.topics : []))
}

/** Whether a step gets what others have sent to their `onError`. */
function takesDeadLetters(step: string, nodes: readonly PlanNode[], edges: readonly PlanEdge[]): boolean {
  const errorOutputs = new Set(nodes.flatMap(({ onError }) => (onError === null ? [] : [`side output ${onError}`])))
  return [...upstreamOf(step, edges)].some((node) => errorOutputs.has(node))
}

function deadLetterLoop(job: string, step: string, topic: string, reader: PlannedSource): TidemarkError {
  return new TidemarkError(
    'invalid-plan',
    `The pipeline of job '${job}' sends dead letters to topic ${topic} (${step}), which it reads itself (${reader.step}): each would come back as a bad record, longer each time. Give the dead letters a topic of their own${remedyOf(reader)}`,
    { details: { job, topic, step } },
  )
}

function remedyOf({ topics }: PlannedSource): string {
  return topics.kind === 'pattern' ? `, one that ${String(topics.pattern)} does not match` : ''
}
