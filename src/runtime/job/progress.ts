import type { Clock } from '../../core/ports/clock.ts'
import type { JobMetrics } from '../metrics/jobMetrics.ts'
import type { Tally } from '../plan/defineJob.ts'
import type { EpochPhases } from '../task/epoch.ts'

/** How a run ended, and what it has committed. */
export interface JobResult {
  readonly outcome: 'completed' | 'stopped'
  /** Input records in committed epochs of this run. */
  readonly records: number
  readonly epochs: number
  /** Records, and markers among them, that a bounded run has left behind transactions that are not decided. */
  readonly undecided: number
  /** Epoch attempts that were given up. */
  readonly aborted: number
  readonly tallies: readonly Tally[]
  readonly phases: EpochPhases
  readonly durationMs: number
  /** How often, and for how many ms in all tasks together, operators held the sources back. */
  readonly gate: { readonly closures: number; readonly closedMs: number }
}

/** Different tallies that one run keeps. */
const maxTallies = 1000

/** What people are told of one run: its totals as metrics have them, its backlog, and the tallies of committed epochs. */
export class Progress {
  readonly #clock: Clock
  readonly #metrics: JobMetrics
  readonly #startedMs: number
  readonly #backlog = new Map<number, number>()
  readonly #undecided = new Map<number, number>()
  readonly #tallies = new Map<string, number>()

  constructor(clock: Clock, metrics: JobMetrics) {
    this.#clock = clock
    this.#metrics = metrics
    this.#startedMs = clock.monotonicMs()
  }

  get records(): number {
    return this.#metrics.recordsCommitted
  }

  /** Records that were waiting when the tasks were taken over. */
  get backlog(): number {
    return total(this.#backlog.values())
  }

  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#startedMs
  }

  recovered(partition: number, backlog: number): void {
    // Later recoveries in the same run find a part of the same backlog.
    if (!this.#backlog.has(partition)) this.#backlog.set(partition, backlog)
  }

  /** Labels may come from messages, so their number is bounded: what comes after counts without labels. */
  tallied(tallies: ReadonlyMap<string, number>): void {
    for (const [key, count] of tallies) {
      const kept = this.#tallies.has(key) || this.#tallies.size < maxTallies ? key : (key.split('\u0000')[0] ?? key)
      this.#tallies.set(kept, (this.#tallies.get(kept) ?? 0) + count)
    }
  }

  undecided(partition: number, records: number): void {
    this.#undecided.set(partition, records)
  }

  result(outcome: JobResult['outcome']): JobResult {
    const { checkpoints, aborted, epochPhases, gate } = this.#metrics
    return {
      outcome,
      records: this.records,
      epochs: checkpoints.total,
      undecided: total(this.#undecided.values()),
      aborted: aborted.total,
      tallies: [...this.#tallies].map(([key, count]) => {
        const [name = '', ...labels] = key.split('\u0000')
        return { name, labels, count }
      }),
      phases: {
        emitMs: epochPhases.emitMs.sumMs,
        drainMs: epochPhases.drainMs.sumMs,
        commitMs: epochPhases.commitMs.sumMs,
        applyMs: epochPhases.applyMs.sumMs,
      },
      durationMs: this.elapsedMs,
      gate,
    }
  }
}

function total(counts: Iterable<number>): number {
  return [...counts].reduce((sum, count) => sum + count, 0)
}
