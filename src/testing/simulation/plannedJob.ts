import type { TopicSelection } from '../../core/topicSelection.ts'
import type { SettingSpecs } from '../../core/setting.ts'
import type { Job } from '../../runtime/plan/defineJob.ts'
import { silentLogger } from '../../core/ports/logger.ts'
import { planJob } from '../../runtime/plan/plan.ts'
import { runOptions } from '../../runtime/job/runOptions.ts'
import { runnableJob } from '../../runtime/plan/runnableJob.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import { ManualClock } from '../world/manualClock.ts'
import { seededRandom } from '../world/seededRandom.ts'

/** How much a lookup of a job bears, the least of all its lookups. */
export interface LookupBounds {
  /** What the requests for one record may take in all. */
  readonly timeoutMs: number
  readonly attempts: number
}

/** What the plan of a job says that its results may be judged by. */
export interface PlannedJob {
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
