import type { TidemarkError } from '../../core/errors.ts'
import type { StepFigure } from '../../core/figures.ts'

/**
 * What a task is doing:
 * - `recovering`: fencing, reading what was committed, restoring state;
 * - `idle`: nothing to read, no epoch open;
 * - `running`: emitting the records of an epoch;
 * - `held`: the same, and an operator that is full holds the source back;
 * - `committing`: past the barrier;
 * - `waiting`: between a failed epoch and the next attempt;
 * - `ended`, `failed`.
 */
export type TaskState = 'recovering' | 'idle' | 'running' | 'held' | 'committing' | 'waiting' | 'ended' | 'failed'

/** How often, and for how many ms in all, operators held a source back. */
export interface GateTotals {
  readonly closures: number
  readonly closedMs: number
}

/** A task as metrics see it: what it knows anyway, read when somebody asks. */
export interface MeasuredTask {
  readonly partition: number
  readonly state: TaskState
  /** What failed since the last commit. */
  readonly trouble: TidemarkError | null
  /** For how many ms there was trouble and no commit. */
  readonly troubledMs: number
  /** Records emitted in the epoch under way. */
  readonly epochRecords: number
  /** Records that operators hold now. */
  readonly pending: number
  readonly gate: GateTotals
  /** What its steps have counted by themselves. */
  readonly figures: readonly (readonly [step: string, figures: readonly StepFigure[]])[]
  /** Records between its position and the end, by topic; asks the log. Empty before the first recovery. */
  lag(): Promise<ReadonlyMap<string, number>>
}
