import type { Clock } from '../../core/ports/clock.ts'
import type { PositionFormat, Positions } from '../../core/ports/position.ts'
import type { CommitContent, CommitMetadata } from '../../core/ports/task.ts'
import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../core/ports/commitLog.ts'
import type { TaskState } from '../../core/ports/taskState.ts'
import { checkpointTimeout } from './epoch.ts'

/** Positions that are to be committed without an epoch of the pipeline. */
export interface PositionsInput {
  readonly transaction: EpochTransaction
  readonly state: TaskState | null
  readonly positions: Positions
  readonly commit: CommitContent
  readonly commitEntry: ChangelogEntry
  readonly clock: Clock
  readonly timeoutMs: number
}

/**
 * Commits positions that have passed only what holds no record: markers, aborted records, gaps. Retention may remove those,
 * and a committed position before them would then look like lost records. Rejects with what the log answers; the outcome is
 * unknown then.
 */
export async function commitPositions(input: PositionsInput): Promise<CommitMetadata> {
  const { transaction, state, positions, commit } = input
  const inTime = checkpointTimeout(input.clock, input.timeoutMs)
  try {
    const changelogEnd = await inTime(transaction.prepare([input.commitEntry]))
    const metadata = { ...commit, changelogEnd }
    await inTime(transaction.commit(positions, metadata))
    await state?.apply([], metadata)
    return metadata
  } catch (error) {
    // An abort that fails too must not hide why; the next recovery fences, which does the same.
    await transaction.abort().catch(() => undefined)
    throw error
  }
}

export function hasMoved({ compare }: PositionFormat, from: Positions, to: Positions): boolean {
  return [...to].some(([topic, position]) => compare(position, from.get(topic) ?? position) > 0)
}

/** Without inputs that were left behind: the task must not look for them again. */
export function countsOf(counts: Readonly<Record<string, number>>, at: Positions): Readonly<Record<string, number>> {
  if (Object.keys(counts).every((topic) => at.has(topic))) return counts
  return Object.fromEntries(Object.entries(counts).filter(([topic]) => at.has(topic)))
}
