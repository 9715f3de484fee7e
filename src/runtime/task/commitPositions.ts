import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../core/ports/commitLog.ts'
import type { PositionFormat, Positions } from '../../core/ports/position.ts'
import type { CommitContent, CommitMetadata } from '../../core/ports/task.ts'

/** Positions that are to be committed without an epoch of the pipeline. */
export interface PositionsInput {
  readonly transaction: EpochTransaction
  readonly positions: Positions
  readonly commit: CommitContent
  /** Their commit record the last of them. */
  readonly entries: readonly ChangelogEntry[]
  /** Bounds what is waited for; default: nothing does. */
  readonly inTime?: <T>(promise: Promise<T>) => Promise<T>
}

/** Commits positions, and no outputs. Rejects with what the log answers; the outcome is unknown then. */
export async function commitPositions(input: PositionsInput): Promise<CommitMetadata> {
  const { transaction, positions, commit, entries, inTime = (promise) => promise } = input
  try {
    const changelogEnd = await inTime(transaction.prepare(entries))
    const metadata = { ...commit, changelogEnd }
    await inTime(transaction.commit(positions, metadata))
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
