import type { KeyedState, StateCodec } from './keyedState.ts'
import type { CommitMetadata, Lineage } from './task.ts'
import type { ChangelogEntry, TaskChangelog } from './changelog.ts'

/** The state writes of one epoch attempt. Dropped, nothing of it has happened. */
export interface StateAttempt {
  /** The keyed state of the operator `uid`. */
  keyed<S>(uid: string, codec: StateCodec<S>): KeyedState<S>
  /** Bytes of the delta so far; they count for the epoch's limit. */
  readonly bytes: number
  /** The last value of every key written, as changelog entries. Called once, at the barrier. */
  delta(): readonly ChangelogEntry[]
}

/**
 * The keyed state of one task: a local cache of the task's changelog, in every world. Implemented in src/state; the
 * runtime only says when to restore, read and apply.
 */
export interface TaskState {
  /**
   * Brings the cache to the committed position by reading the changelog. A cache that is beyond it, of another attempt or
   * lineage, or behind the changelog's start is wiped and restored in full. Null: nothing is committed, the cache is wiped.
   */
  restore(changelog: TaskChangelog, committed: CommitMetadata | null): Promise<void>
  /** The operators that have state in this generation, by uid; after `restore`. One search each, whatever the size. */
  uids(lineage: Lineage): Promise<readonly string[]>
  /** Starts the writes of an attempt on top of the restored state. */
  begin(lineage: Lineage): StateAttempt
  /** Applies a committed delta in one atomic batch; called after the commit is acknowledged. */
  apply(delta: readonly ChangelogEntry[], committed: CommitMetadata): Promise<void>
  /** Lets the changelog forget what the committed generation does not need; once a start, after `restore`. */
  compact(changelog: TaskChangelog, committed: CommitMetadata): Promise<void>
  close(): Promise<void>
}
