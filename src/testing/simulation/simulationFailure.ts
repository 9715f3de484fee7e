import { TidemarkError } from '../../core/errors.ts'
import { faultText, type Fault } from './faults.ts'
import type { Violation } from './invariants.ts'
import { timelineText } from './timeline.ts'

/** What there is to know about a run that broke an invariant. */
export interface FailureReport {
  readonly job: string
  readonly violation: Violation
  /** Null: it fails without any faults, whatever the seed. */
  readonly seed: number | null
  readonly processes: number
  readonly intervalMs: number
  /** The smallest history that still fails, and how long the first one was. */
  readonly faults: readonly Fault[]
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
    this.seed = report.seed
    this.faults = report.faults
    this.timeline = report.timeline
  }
}

function reportText(report: FailureReport): string {
  const { job, violation, seed, processes, intervalMs, faults, faultsAtFirst, timeline, repeat } = report
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
