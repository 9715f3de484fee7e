import type { FaultyParts } from './faults.ts'
import { compareOutcomes, exact, type Violation } from './invariants.ts'
import type { Outcome } from './outcome.ts'
import type { WorldEnd } from './worldPlan.ts'

/** What the runs without faults say. */
interface CalmRuns {
  readonly violation: Violation | null
  /** The epoch length that shows it. */
  readonly intervalMs: number
  /** What the job makes of its input. */
  readonly reference: Outcome
  readonly parts: Omit<FaultyParts, 'topics'>
}

/**
 * Runs a job without faults, twice with the longest epochs and once with each other length, and compares: where epochs are
 * cut must not show in the results. It shows where state is kept outside of keyed state.
 */
export async function epochLengthViolation(
  epochLengths: readonly number[],
  run: (intervalMs: number) => Promise<WorldEnd>,
  own: (outcome: Outcome) => Violation | null,
): Promise<CalmRuns> {
  const [longest = 1_000, ...shorter] = epochLengths.toSorted((a, b) => b - a)
  const first = await run(longest)
  const reference = first.outcome
  const found = {
    reference,
    parts: { lookups: first.lookups > 0, state: first.stateful, followers: reference.followedTopics.size > 0 },
  }
  const ownViolation = first.violation ?? own(reference)
  if (ownViolation !== null) return { violation: ownViolation, intervalMs: longest, ...found }
  const again = await run(longest)
  const changed = again.violation ?? compareOutcomes(again.outcome, reference, { ...again, tolerance: exact })
  if (changed !== null) {
    const message = `${changed.message} (in a first run). The same input gives other results in a second run: the job keeps state in a variable outside of pipeline(), or uses Math.random or Date.now. Keep state in mapWithState; take time and randomness from context.clock and context.random`
    return { violation: { invariant: 'same results in every run', message }, intervalMs: longest, ...found }
  }
  for (const intervalMs of shorter) {
    const end = await run(intervalMs)
    const { violation, outcome } = end
    if (violation !== null) return { violation, intervalMs, ...found }
    const different = compareOutcomes(outcome, reference, { ...end, tolerance: exact })
    if (different === null) continue
    const message = `${different.message} (that is: with epochs of ${String(longest)} ms instead of ${String(intervalMs)} ms). State in a closure of pipeline(), scan, distinct, pairwise, bufferCount and the like begin anew with each epoch: keep what must last in mapWithState, which has a uid`
    return { violation: { invariant: 'same results for every epoch length', message }, intervalMs, ...found }
  }
  return { violation: null, intervalMs: longest, ...found }
}
