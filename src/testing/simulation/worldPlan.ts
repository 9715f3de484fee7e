import type { Provision } from '../../core/ports/system.ts'
import type { SettingSpecs } from '../../core/setting.ts'
import type { Job } from '../../runtime/plan/defineJob.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import type { MemoryTopicOptions } from '../world/memoryTopic.ts'
import type { MemoryTables } from '../world/memoryTables.ts'
import type { Fault, FaultKind } from './faults.ts'
import type { SimulatedInputs } from './inputs.ts'
import type { ComparedRun, Violation } from './invariants.ts'
import type { Outcome, PositionOf } from './outcome.ts'
import type { PlannedJob } from './plannedJob.ts'

/** What is simulated; the same for all seeds. */
export interface Scenario<Specs extends SettingSpecs> extends PlannedJob {
  readonly job: Job<Specs>
  readonly settings: ResolvedSettings<Specs>
  readonly inputs: SimulatedInputs
  /** Inputs that may come, grow and go; none, or several. */
  readonly changing: readonly string[]
  readonly tables: MemoryTables
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
