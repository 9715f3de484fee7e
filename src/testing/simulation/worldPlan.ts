import { silentLogger } from '../../core/ports/logger.ts'
import type { Provision } from '../../core/ports/system.ts'
import type { SettingSpecs } from '../../core/setting.ts'
import type { TopicSelection } from '../../core/topicSelection.ts'
import { runOptions } from '../../runtime/job/runOptions.ts'
import type { Job } from '../../runtime/plan/defineJob.ts'
import { planJob } from '../../runtime/plan/plan.ts'
import { runnableJob } from '../../runtime/plan/runnableJob.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import { ManualClock } from '../world/manualClock.ts'
import type { MemoryTopicOptions } from '../world/memoryTopic.ts'
import type { MemoryTargetOptions } from '../world/memoryFollower.ts'
import type { MemoryTables } from '../world/memoryTables.ts'
import { seededRandom } from '../world/seededRandom.ts'
import type { Fault, FaultKind } from './faults.ts'
import type { SimulatedInputs } from './inputs.ts'
import type { ComparedRun, Violation } from './invariants.ts'
import type { Outcome, PositionOf } from './outcome.ts'

/** What is simulated; the same for all seeds. */
export interface Scenario<Specs extends SettingSpecs> extends PlannedJob {
  readonly job: Job<Specs>
  readonly settings: ResolvedSettings<Specs>
  readonly inputs: SimulatedInputs
  /** Inputs that may come, grow and go; none, or several. */
  readonly changing: readonly string[]
  readonly tables: MemoryTables
  /** Of the system that sinks under `memoryTargetPort` write to. */
  readonly target: MemoryTargetOptions | undefined
  readonly provide: readonly Provision<unknown>[] | undefined
  readonly partitions: number
  /** Topics that are there before the job writes them. */
  readonly outputs: Readonly<Record<string, MemoryTopicOptions>>
  readonly positionOf: PositionOf
  /** The row that the record of an input position names; null: none. */
  rowOf(position: string): string | null
  /** Virtual ms after the last trouble within which everything must be committed. */
  readonly progressMs: number
}

/** What is particular about one run. */
export interface WorldPlan {
  readonly seed: number
  readonly processes: number
  readonly intervalMs: number
  readonly faults: readonly Fault[]
  /** Nothing takes time and nothing goes wrong: the run that others are held against. */
  readonly calm: boolean
  /** What the run without faults gave; null: there is none yet. */
  readonly reference: Outcome | null
  readonly record: boolean
}

/** What came of one run. */
export interface WorldEnd extends ComparedRun {
  readonly violation: Violation | null
  readonly outcome: Outcome
  readonly timeline: readonly string[]
  /** Calls to the outside. */
  readonly calls: number
  /** Faults that have struck. */
  readonly struck: readonly FaultKind[]
  readonly commits: number
  readonly virtualMs: number
  readonly lookups: number
}

/** How much a lookup of a job bears, the least of all its lookups. */
export interface LookupBounds {
  /** What the requests for one record may take in all. */
  readonly timeoutMs: number
  readonly attempts: number
}

/** What the plan of a job says that its results may be judged by. */
interface PlannedJob {
  /** Null: it looks nothing up. */
  readonly lookups: LookupBounds | null
  /** Topics that a sink of the job writes exactly once, as far as the plan names them. */
  readonly exactTopics: ReadonlySet<string>
  /** What its sources read, where topics may come and go without a trace: one source, and no keyed state. Else nothing. */
  readonly freeInputs: readonly TopicSelection[]
}

export function plannedJob<Specs extends SettingSpecs>(job: Job<Specs>, settings: ResolvedSettings<Specs>): PlannedJob {
  const clock = new ManualClock()
  const { limits } = runOptions(settings, clock)
  const plan = planJob(runnableJob(job, settings), { clock, random: seededRandom(0), log: silentLogger, limits })
  const lookups = plan.nodes.filter(({ details }) => 'timeoutMs' in details)
  const least = (detail: string): number => Math.min(...lookups.map(({ details }) => Number(details[detail])))
  const exact = plan.sinks.filter(({ spec }) => spec.guarantee === 'exactly-once')
  return {
    lookups: lookups.length === 0 ? null : { timeoutMs: least('timeoutMs'), attempts: least('attempts') },
    exactTopics: new Set(exact.flatMap(({ spec }) => spec.topics)),
    freeInputs: plan.stateful || plan.sources.length > 1 ? [] : plan.sources.map(({ topics }) => topics),
  }
}
