import type { Clock } from '../../core/ports/clock.ts'
import type { CommittedEpoch, EpochPhases } from '../task/epoch.ts'
import type { Tally } from '../plan/defineJob.ts'

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

/** Running totals of one run, of committed epochs only. */
export class Progress {
  readonly #clock: Clock
  readonly #changed: () => void
  readonly #startedMs: number
  readonly #backlog = new Map<number, number>()
  readonly #undecided = new Map<number, number>()
  readonly #tallies = new Map<string, number>()
  #records = 0
  #epochs = 0
  #aborted = 0
  #phases: EpochPhases = { emitMs: 0, drainMs: 0, commitMs: 0, applyMs: 0 }
  #gate = { closures: 0, closedMs: 0 }
  warned = false

  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock
    this.#changed = changed
    this.#startedMs = clock.monotonicMs()
  }

  get records(): number {
    return this.#records
  }

  /** Records that were waiting when the tasks were taken over. */
  get backlog(): number {
    let backlog = 0
    for (const records of this.#backlog.values()) backlog += records
    return backlog
  }

  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#startedMs
  }

  recovered(partition: number, backlog: number): void {
    // Later recoveries in the same run find a part of the same backlog.
    if (!this.#backlog.has(partition)) this.#backlog.set(partition, backlog)
    this.#changed()
  }

  committed(result: CommittedEpoch, tallies: ReadonlyMap<string, number>): void {
    this.#records += result.records
    this.#epochs += 1
    const { phases } = result
    this.#phases = {
      emitMs: this.#phases.emitMs + phases.emitMs,
      drainMs: this.#phases.drainMs + phases.drainMs,
      commitMs: this.#phases.commitMs + phases.commitMs,
      applyMs: this.#phases.applyMs + phases.applyMs,
    }
    for (const [key, count] of tallies) this.#count(key, count)
    this.#changed()
  }

  undecided(partition: number, records: number): void {
    this.#undecided.set(partition, records)
  }

  aborted(): void {
    this.#aborted += 1
    this.#changed()
  }

  gate({ closures, closedMs }: { readonly closures: number; readonly closedMs: number }): void {
    this.#gate = { closures: this.#gate.closures + closures, closedMs: this.#gate.closedMs + closedMs }
  }

  /** Labels may come from messages, so their number is bounded: what comes after counts without labels. */
  #count(key: string, count: number): void {
    const kept = this.#tallies.has(key) || this.#tallies.size < maxTallies ? key : (key.split('\u0000')[0] ?? key)
    this.#tallies.set(kept, (this.#tallies.get(kept) ?? 0) + count)
  }

  result(outcome: JobResult['outcome']): JobResult {
    return {
      outcome,
      records: this.#records,
      epochs: this.#epochs,
      undecided: [...this.#undecided.values()].reduce((sum, records) => sum + records, 0),
      aborted: this.#aborted,
      tallies: [...this.#tallies].map(([key, count]) => {
        const [name = '', ...labels] = key.split('\u0000')
        return { name, labels, count }
      }),
      phases: this.#phases,
      durationMs: this.elapsedMs,
      gate: this.#gate,
    }
  }
}
