import type { Clock } from '../core/ports/clock.ts'
import { TidemarkError } from '../core/errors.ts'
import { sameCheckpoint, type Lineage } from '../core/ports/task.ts'
import type { ChangelogEntry, OffsetRange, TaskChangelog } from '../core/ports/changelog.ts'
import { belongsToGeneration, lineageKey } from './changelogKey.ts'
import { decodeLineage } from './changelogRecords.ts'
import { positionOfCommit, type CommittedState, type StateStore, type StorePosition } from './stateStore.ts'

/** `current`: nothing to do. `from`: bring forward from this offset. `wipe`: empty, and read the whole changelog. */
export type RestorePlan = 'current' | 'wipe' | { readonly from: number }

/** Until when a local store can be brought forward. */
export interface StoreAge {
  readonly nowMs: number
  /** Half of the changelog's `delete.retention.ms`: deletions older than that may be gone. Infinity: they never go. */
  readonly maxAgeMs: number
}

/**
 * Decides how a local store becomes the committed state.
 *
 * A store is brought forward only if it surely is the state of an earlier commit of the same lineage, and all entries
 * since then, deletions included, are still there. Whatever is in doubt is wiped: the changelog holds everything.
 */
export function restorePlan(
  local: StorePosition | null,
  committed: CommittedState,
  range: OffsetRange,
  { nowMs, maxAgeMs }: StoreAge,
): RestorePlan {
  if (local === null) return 'wipe'
  if (local.lineage !== committed.lineage || local.generation !== committed.generation) return 'wipe'
  if (sameCheckpoint(local, committed)) return local.changelogEnd === committed.changelogEnd ? 'current' : 'wipe'
  // Beyond the commit, or the same epoch by another attempt: not a state that ever was.
  if (local.epoch >= committed.epoch || local.changelogEnd > committed.changelogEnd) return 'wipe'
  if (local.changelogEnd < range.start) return 'wipe'
  // In both directions: a clock that was set back by that much tells no age.
  if (Math.abs(nowMs - local.appliedAtMs) > maxAgeMs) return 'wipe'
  return { from: local.changelogEnd }
}

export interface RestoreOptions {
  readonly clock: Clock
  /** See `StoreAge`; default: no limit. */
  readonly maxAgeMs?: number
}

/** What a restore did. */
export interface RestoreOutcome {
  readonly plan: RestorePlan
  /** Changelog entries read. */
  readonly entries: number
  readonly bytes: number
}

/**
 * Brings an open store to the committed state. Memory: one batch of the changelog. A crash in between leaves a store
 * whose position is the old one, or none after a wipe, and the next restore repeats what is missing: entries are last
 * values in order, so that applying some of them twice changes nothing.
 *
 * @throws `data-removed` when the changelog ends before the committed position, or does not begin with its lineage any more
 *   and all of it is needed; `corrupt-store` when it is another lineage's.
 */
export async function restore(
  store: StateStore,
  committed: CommittedState,
  changelog: Pick<TaskChangelog, 'range' | 'read'>,
  { clock, maxAgeMs = Infinity }: RestoreOptions,
): Promise<RestoreOutcome> {
  const range = await changelog.range()
  if (range.end < committed.changelogEnd) throw truncated(range, committed)
  const plan = restorePlan(store.position, committed, range, { nowMs: clock.now(), maxAgeMs })
  if (plan === 'current') return { plan, entries: 0, bytes: 0 }
  if (plan === 'wipe') await store.wipe()

  const from = plan === 'wipe' ? range.start : plan.from
  let entries = 0
  let bytes = 0
  let written: Lineage | null = null
  if (from < committed.changelogEnd) {
    for await (const batch of changelog.read(from, committed.changelogEnd)) {
      const part: ChangelogEntry[] = []
      for (const entry of batch) {
        entries += 1
        bytes += entry.key.length + (entry.value?.length ?? 0)
        if (entry.key.equals(lineageKey)) written = decodeLineage(entry.value)
        else if (belongsToGeneration(entry.key, committed.generation)) part.push(entry)
      }
      if (part.length > 0) await store.load(part)
    }
  }
  if (plan === 'wipe' && written === null && committed.changelogEnd > 0) {
    await store.wipe()
    throw headless(range, committed)
  }
  if (written !== null && (written.lineage !== committed.lineage || written.generation !== committed.generation)) {
    await store.wipe()
    throw new TidemarkError(
      'corrupt-store',
      `The changelog belongs to lineage ${written.lineage}, the committed offsets to ${committed.lineage}. Was the changelog topic replaced, or shared with another job?`,
    )
  }
  await store.apply([], positionOfCommit(committed, clock.now()))
  return { plan, entries, bytes }
}

/**
 * A generation begins with its lineage record, and compaction keeps it: where it is missing, what stood behind it may be
 * missing as well, and the state would be a part of what it was.
 */
function headless({ start, end }: OffsetRange, { lineage, generation, changelogEnd }: CommittedState): TidemarkError {
  return new TidemarkError(
    'data-removed',
    `The changelog, which holds ${String(start)} to ${String(end)}, has no lineage record of generation ${String(generation)}: records at its head were removed (by DeleteRecords, or while cleanup.policy was not compact), so the state cannot be restored whole. Restore the changelog topic from a copy, start the job where its local state still is, or start over with --reset-offsets <mode>, which begins with empty state`,
    { details: { lineage, generation, changelogStart: start, committed: changelogEnd } },
  )
}

function truncated(range: OffsetRange, committed: CommittedState): TidemarkError {
  return new TidemarkError(
    'data-removed',
    `The changelog ends at ${String(range.end)}, before the committed position ${String(committed.changelogEnd)}: its records were removed. Restore the changelog topic, or start over with --reset-offsets, which begins with empty state.`,
    { details: { changelogEnd: range.end, committed: committed.changelogEnd } },
  )
}
