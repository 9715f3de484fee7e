import { TidemarkError } from '../../core/errors.ts'
import { faultText, type Fault } from './faults.ts'
import type { Violation } from './invariants.ts'
import { timelineText } from './timeline.ts'
import type { WorldPlan } from './worldPlan.ts'

/** What there is to know about a run that broke an invariant. */
export interface FailureReport {
  readonly job: string
  readonly violation: Violation
  /** The run, with the smallest history of faults that still fails; a calm one fails whatever the seed. */
  readonly plan: WorldPlan
  /** How long the history was at first. */
  readonly faultsAtFirst: number
  readonly timeline: readonly string[]
  /** The command that runs the test. */
  readonly repeat: string
}

/** A simulated run broke an invariant. The message holds everything: what, the history of faults, a timeline, the command. */
export class SimulationFailure extends TidemarkError {
  override readonly name: string = 'SimulationFailure'
  readonly invariant: string
  readonly seed: number | null
  readonly faults: readonly Fault[]
  readonly timeline: readonly string[]

  constructor(report: FailureReport) {
    super('broken-invariant', reportText(report))
    this.invariant = report.violation.invariant
    this.seed = seedOf(report.plan)
    this.faults = report.plan.faults
    this.timeline = report.timeline
  }
}

function seedOf({ calm, seed }: WorldPlan): number | null {
  return calm ? null : seed
}

function reportText({ job, violation, plan, faultsAtFirst, timeline, repeat }: FailureReport): string {
  const { processes, intervalMs, faults } = plan
  const seed = seedOf(plan)
  const setting = `${processes === 1 ? 'one process' : `${String(processes)} processes`}, epochs of ${String(intervalMs)} ms`
  const lines = [
    `Job '${job}' broke an invariant: ${violation.invariant}.`,
    `  ${violation.message}`,
    '',
    seed === null ? `Without any faults; ${setting}.` : `Seed ${String(seed)}; ${setting}.`,
  ]
  if (faults.length > 0) {
    lines.push(
      faults.length === faultsAtFirst
        ? 'Faults:'
        : `The smallest history of faults that breaks it (shrunk from ${String(faultsAtFirst)}):`,
      ...faults.map((fault) => `  ${faultText(fault)}`),
    )
  }
  lines.push('', 'Timeline (virtual time):', timelineText(timeline))
  if (seed !== null) lines.push('', `Repeat it: TIDEMARK_SEED=${String(seed)} ${repeat}`)
  return lines.join('\n')
}
