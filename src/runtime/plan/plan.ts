import type { Clock } from '../../core/ports/clock.ts'
import type { Limits, StepSpec } from '../../core/context.ts'
import { TidemarkError, asTidemarkError } from '../../core/errors.ts'
import { TaskGate } from '../../core/ports/gate.ts'
import type { StepFigure } from '../../core/figures.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { Random } from '../../core/ports/random.ts'
import { EpochAttempt } from '../attempt/epochAttempt.ts'
import type { AttemptContext, PlannedFollower, PlannedSink } from '../attempt/attemptContext.ts'
import { SenderTotals, followerFigures } from '../follower/followerFigures.ts'
import { findLoops } from './planLoops.ts'
import { upstreamOf, type PlanEdge, type PlanNode, type SubscriptionNesting } from './planGraph.ts'
import { checkStartModes, type PlannedSource } from './plannedSource.ts'
import type { RunnableJob } from './runnableJob.ts'

/** What planning needs to know; nothing is connected. */
export interface PlanEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly limits: Limits
}

/** What the planning build has found. */
export interface Plan {
  readonly job: string
  readonly groupId: string
  readonly transactionalIdPrefix: string
  readonly sources: readonly PlannedSource[]
  readonly sinks: readonly PlannedSink[]
  readonly followers: readonly PlannedFollower[]
  readonly nodes: readonly PlanNode[]
  readonly edges: readonly PlanEdge[]
  /** Ports of the world that the pipeline has opened. */
  readonly ports: readonly Port<Resource>[]
  readonly stateful: boolean
  /** True when the topics must have equal partition counts, which may not change: several sources, or any state. */
  readonly copartitioned: boolean
  /** The longest a record may stay inside one step. */
  readonly longestWaitMs: number
  /** What can run and is probably not meant. */
  readonly warnings: readonly string[]
}

/**
 * Builds the pipeline once (twice when a stateful step may have several consumers) with empty sources and discarding sinks, and finds what it is made of and what is wrong with it,
 * before anything is read.
 *
 * @throws TidemarkError `invalid-plan`, or the `invalid-argument` of an operator.
 */
export function planJob(job: RunnableJob, environment: PlanEnvironment): Plan {
  const built = buildOnce(job, environment, false)
  // share() starts anew when its source has completed, so how often a step is subscribed shows with open sources only.
  const suspect = built.context.steps.some(({ spec, subscriptions }) => spec.uid !== undefined && subscriptions > 1)
  if (suspect) checkSubscriptions(job.name, buildOnce(job, environment, true).context)
  return checkedPlan(job.name, built.context, built.nesting)
}

function buildOnce(job: RunnableJob, environment: PlanEnvironment, rehearsing: boolean): EpochAttempt {
  const attempt = new EpochAttempt({
    ...environment,
    job,
    planning: true,
    rehearsing,
    partition: 0,
    epoch: 0,
    gate: new TaskGate(environment.clock, () => undefined),
    kept: new Map(),
    state: null,
    sink: () => ({ send: () => undefined, refusal: () => null }),
    follow: () => ({ send: () => undefined, refusal: () => null }),
    open: unconnected,
    lostAfterCommit: () => undefined,
  })
  try {
    attempt.start()
  } catch (error) {
    throw asTidemarkError(error, 'invalid-plan', `pipeline() of job '${job.name}' threw while being planned`)
  }
  if (attempt.failure !== null) throw attempt.failure
  attempt.fail(new TidemarkError('stale-context', 'The planning build has ended'))
  return attempt
}

function checkedPlan(job: string, built: AttemptContext, nesting: SubscriptionNesting): Plan {
  const edges = [...nesting.edges, ...errorEdges(built)]
  const { sources } = built.sources
  if (sources.length === 0) {
    throw invalidPlan(job, 'has no source. Start it with fromKafka(context, { topic, groupId })')
  }
  checkSideOutputs(job, built, edges)
  checkUids(job, built)
  checkStartModes(job, sources)
  const stateful = built.steps.some((step) => step.spec.uid !== undefined)
  const nodes: readonly PlanNode[] = [
    ...built.steps.map((step) => ({
      id: step.name,
      role: step.spec.role ?? ('operator' as const),
      kind: step.spec.kind,
      name: step.name,
      uid: step.spec.uid ?? null,
      details: step.spec.details ?? {},
      onError: step.spec.onError?.name ?? null,
      figures: figuresOf(
        step.spec,
        built.followers.some((follower) => follower.step === step.name),
      ),
    })),
    ...built.sideOutputs.map((output) => ({
      id: output.node,
      role: 'side output' as const,
      kind: 'sideOutput',
      name: output.name,
      uid: null,
      details: {},
      onError: null,
      figures: [],
    })),
  ]
  return {
    job,
    groupId: onlyOne(
      job,
      'consumer group ids',
      sources.map(({ groupId }) => groupId),
      'All sources of one pipeline form one group: give every fromKafka the same groupId',
    ),
    transactionalIdPrefix:
      onlyOneOrNone(
        job,
        'transactional id prefixes',
        built.sinks.flatMap(({ spec }) => spec.transactionalIdPrefix ?? []),
        'A task has one transaction: give every sink the same transactionalIdPrefix, or only one of them',
      ) ?? job,
    sources,
    sinks: built.sinks,
    followers: built.followers,
    nodes,
    edges,
    ports: [...built.ports],
    stateful,
    copartitioned: stateful || sources.length > 1,
    longestWaitMs: Math.max(0, ...built.steps.map(({ spec }) => spec.longestWaitMs ?? 0)),
    warnings: findLoops({ job, sources, sinks: built.sinks, nodes, edges }),
  }
}

/** At zero; those of its follower are the runtime's to tell. */
function figuresOf({ figures = [] }: StepSpec, follows: boolean): readonly StepFigure[] {
  return follows ? [...figures, ...followerFigures(new SenderTotals(), 0)] : figures
}

/** Bad records flow from a step to the side output it names. */
function errorEdges(built: AttemptContext): PlanEdge[] {
  return built.steps.flatMap((step) => {
    const output = built.sideOutputs.find(({ name }) => name === step.spec.onError?.name)
    return output === undefined ? [] : [{ from: step.name, to: output.node }]
  })
}

function checkSideOutputs(job: string, built: AttemptContext, edges: readonly PlanEdge[]): void {
  for (const output of built.sideOutputs) {
    if (output.consumer === null) {
      throw invalidPlan(
        job,
        `creates side output '${output.name}' and nobody consumes it: its records would be lost. Return ${output.name}'s records$, piped into a sink, from pipeline()`,
      )
    }
    if (upstreamOf(output.node, edges).has(output.node)) {
      throw invalidPlan(
        job,
        `feeds side output '${output.name}' from its own consumer: it could never complete. Let the operators after ${output.name}.records$ use another side output`,
      )
    }
    const feeders = built.steps.filter((step) => step.spec.onError?.name === output.name)
    for (const feeder of feeders) {
      const pipeline = lastPipelineOf(feeder.name, edges)
      if (pipeline !== null && pipeline >= output.consumer) {
        throw invalidPlan(
          job,
          `feeds side output '${output.name}' from ${feeder.name}, which belongs to pipeline ${String(pipeline + 1)} of those returned, and consumes it in pipeline ${String(output.consumer + 1)}. Pipelines complete in the order of the array: return the consumer after all feeders`,
        )
      }
    }
  }
}

/** The last returned pipeline that a step belongs to, following the main flow (not its bad records). */
function lastPipelineOf(step: string, edges: readonly PlanEdge[]): number | null {
  let last: number | null = null
  const seen = new Set([step])
  const queue = [step]
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    const pipeline = /^pipeline (\d+)$/.exec(node)?.[1]
    if (pipeline !== undefined) last = Math.max(last ?? 0, Number(pipeline) - 1)
    for (const { from, to } of edges) {
      if (from !== node || seen.has(to) || to.startsWith('side output ')) continue
      seen.add(to)
      queue.push(to)
    }
  }
  return last
}

function checkUids(job: string, built: AttemptContext): void {
  const owners = new Map<string, string>()
  for (const { name, spec } of built.steps) {
    if (spec.uid === undefined) continue
    const other = owners.get(spec.uid)
    if (other !== undefined) {
      throw invalidPlan(
        job,
        `gives uid '${spec.uid}' to ${other} and to ${name}. A uid names one step's state: choose another`,
      )
    }
    owners.set(spec.uid, name)
  }
  for (const [index, { step, spec }] of built.followers.entries()) {
    const other = built.followers.slice(0, index).find((each) => each.spec.uid === spec.uid)
    if (other === undefined) continue
    throw invalidPlan(
      job,
      `gives uid '${spec.uid}' to the sinks ${other.step} and ${step}. Their rows would be taken for each other's: choose another`,
    )
  }
}

function checkSubscriptions(job: string, built: AttemptContext): void {
  for (const { name, spec, subscriptions } of built.steps) {
    if (spec.uid === undefined || subscriptions <= 1) continue
    throw invalidPlan(
      job,
      `subscribes ${name} (uid '${spec.uid}') ${String(subscriptions)} times, so its state would be updated that often for each record. Add share() after it`,
    )
  }
}

function onlyOne(job: string, what: string, values: readonly string[], remedy: string): string {
  const value = onlyOneOrNone(job, what, values, remedy)
  if (value === null) throw new TidemarkError('broken-invariant', `Job '${job}' has no ${what}`)
  return value
}

function onlyOneOrNone(job: string, what: string, values: readonly string[], remedy: string): string | null {
  const distinct = [...new Set(values)]
  if (distinct.length > 1) {
    throw invalidPlan(job, `names ${String(distinct.length)} ${what}: ${distinct.join(', ')}. ${remedy}`)
  }
  return distinct[0] ?? null
}

function invalidPlan(job: string, what: string): TidemarkError {
  return new TidemarkError('invalid-plan', `The pipeline of job '${job}' ${what}`, { details: { job } })
}

/** Stands for a port while nothing is connected: any method may be looked up, none may be called. */
function unconnected<T extends Resource>(port: Port<T>): T {
  return new Proxy(Object.create(null), {
    get: (_target, property) => {
      if (typeof property === 'symbol') return undefined
      if (property === 'name') return port.name
      return () => {
        throw new TidemarkError(
          'invalid-plan',
          `pipeline() used port ${port.name} (${property}) while being built. Use it inside operators, where records flow`,
        )
      }
    },
  }) as T
}
