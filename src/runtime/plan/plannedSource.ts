import { isDeepStrictEqual } from 'node:util'
import type { SourceSpec } from '../../core/context.ts'
import { TidemarkError } from '../../core/errors.ts'
import { selects } from '../../core/topicSelection.ts'
import type { StartMode } from '../../core/startMode.ts'

/** A source as the planning build has found it. */
export interface PlannedSource extends SourceSpec {
  readonly step: string
}

/**
 * Where a task without a commit begins to read a topic. Sources that read the same topic share its position, so they must
 * agree: throws `invalid-plan` where they do not.
 */
export function startModeOf(job: string, sources: readonly PlannedSource[], topic: string): StartMode {
  const [first, ...others] = sources.filter(({ topics }) => selects(topics, topic))
  if (first === undefined) {
    throw new TidemarkError('broken-invariant', `No source of job '${job}' reads topic ${topic}`)
  }
  const other = others.find(({ startFrom }) => !isDeepStrictEqual(startFrom, first.startFrom))
  if (other === undefined) return first.startFrom
  throw new TidemarkError(
    'invalid-plan',
    `The pipeline of job '${job}' reads topic ${topic} twice, from ${textOf(first.startFrom)} in ${first.step} and from ${textOf(other.startFrom)} in ${other.step}, and a topic has one position in a task. Give both the same startFrom, or read the topic once and use the source twice`,
    { details: { job, topic } },
  )
}

/** Checks the topics that the plan names; those that only patterns match are known when the job has connected. */
export function checkStartModes(job: string, sources: readonly PlannedSource[]): void {
  for (const { topics } of sources) {
    if (topics.kind === 'topics') for (const topic of topics.topics) startModeOf(job, sources, topic)
  }
}

function textOf(mode: StartMode): string {
  switch (mode.kind) {
    case 'timestamp':
      return `timestamp ${String(mode.timestampMs)}`
    case 'offsets':
      return `offsets ${[...mode.offsets].map(([partition, offset]) => `${String(partition)}@${String(offset)}`).join(', ')}`
    case 'earliest':
    case 'latest':
    case 'committed':
      return mode.kind
  }
}
