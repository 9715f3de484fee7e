import type { Clock } from '../core/ports/clock.ts'
import type { TaskState } from '../core/ports/taskState.ts'
import {
  behindPrefix,
  belongsToGeneration,
  commitKey,
  decodeChangelogKey,
  generationPrefix,
  lineageKey,
  statePrefix,
} from './changelogKey.ts'
import { restore, type RestoreOutcome } from './restore.ts'
import { StateOverlay } from './stateOverlay.ts'
import { positionOfCommit, type StateStore } from './stateStore.ts'

export interface TaskStateOptions {
  /** See `StoreAge`; default: no limit (the embedded changelog keeps its deletions until it is compacted). */
  readonly maxAgeMs?: number
  /** Told what each restore did. */
  readonly restored?: (outcome: RestoreOutcome) => void
}

/**
 * The keyed state of one task: a local store as a cache of the task's changelog, and an overlay on top of it for each epoch
 * attempt. Opens the store; `close` closes it.
 */
export async function openTaskState(
  store: StateStore,
  clock: Clock,
  { maxAgeMs = Infinity, restored }: TaskStateOptions = {},
): Promise<TaskState> {
  await store.open()
  let overlay: StateOverlay | null = null
  // Attempts do not overlap: whatever still holds the state of the last one finds it stale.
  const endAttempt = (): void => {
    overlay?.end()
    overlay = null
  }
  return {
    async restore(changelog, committed) {
      endAttempt()
      if (committed === null) {
        await store.wipe()
        return
      }
      const outcome = await restore(store, committed, changelog, { clock, maxAgeMs })
      restored?.(outcome)
    },
    uids: ({ generation }) => uidsIn(store, generation),
    begin({ generation }) {
      endAttempt()
      overlay = new StateOverlay(store, { generation })
      return overlay
    },
    async apply(delta, committed) {
      endAttempt()
      await store.apply(delta, positionOfCommit(committed, clock.now()))
    },
    compact: (changelog, { generation }) =>
      changelog.compact(
        (key) => key.equals(lineageKey) || key.equals(commitKey) || belongsToGeneration(key, generation),
      ),
    async close() {
      endAttempt()
      await store.close()
    },
  }
}

/** Looks for the first key of each operator, and goes on behind the last that it can have. */
async function uidsIn(store: Pick<StateStore, 'firstKey'>, generation: number): Promise<readonly string[]> {
  const uids: string[] = []
  for (let from = generationPrefix(generation); ;) {
    const key = await store.firstKey(from)
    if (key === undefined || !belongsToGeneration(key, generation)) return uids
    const found = decodeChangelogKey(key)
    if (found.kind !== 'state') return uids
    uids.push(found.uid)
    from = behindPrefix(statePrefix(generation, found.uid))
  }
}
