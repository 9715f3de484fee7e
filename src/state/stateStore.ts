import type { CheckpointId, Lineage } from '../core/ports/task.ts'
import type { ChangelogEntry } from '../core/ports/changelog.ts'
import { isCount, isObject, parseStored } from '../core/storedJson.ts'

/** Which state a task must have: that of its last commit. */
export interface CommittedState extends CheckpointId, Lineage {
  /** Changelog offset up to which it is complete (exclusive). */
  readonly changelogEnd: number
}

/** Which commit a local store holds the state of. */
export interface StorePosition extends CommittedState {
  /** When it was applied, ms since 1970: a store older than the changelog's tombstones cannot be brought forward. */
  readonly appliedAtMs: number
}

/**
 * The local copy of one task's committed state: a cache of its changelog, lost without loss. Keys are changelog keys.
 *
 * Writes need not be synced, only ordered: a crash may lose the last of them, never an earlier one, so that the position
 * found afterwards is that of the state found afterwards. Implementations run test/conformance/stateStore.ts.
 */
export interface StateStore {
  open(): Promise<void>
  /** The commit whose state is there; null when that is unknown: there is none, or a restore has not ended. */
  readonly position: StorePosition | null
  /** Synchronous, because it is called once a record. Absent keys give undefined. The bytes are not to be changed. */
  get(key: Buffer): Buffer | undefined
  /** The first key, in the order of bytes, that is not below `from`; undefined: there is none. */
  firstKey(from: Buffer): Promise<Buffer | undefined>
  /** Applies a committed delta and moves the position, in one atomic batch. */
  apply(delta: readonly ChangelogEntry[], position: StorePosition): Promise<void>
  /** Applies a part of a restore, atomically, and leaves the position where it is. */
  load(part: readonly ChangelogEntry[]): Promise<void>
  /** Forgets everything, the position first. */
  wipe(): Promise<void>
  close(): Promise<void>
}

/** The position of a store that has become the state of a commit. */
export function positionOfCommit(commit: CommittedState, appliedAtMs: number): StorePosition {
  const { epoch, nonce, lineage, generation, changelogEnd } = commit
  return { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs }
}

/** What stood in front of it: values without checksums. */
const earlierVersion = 1
const version = 2

/** A store's position as bytes. */
export function encodeStorePosition(position: StorePosition): Buffer {
  return Buffer.from(JSON.stringify({ version, ...positionOfCommit(position, position.appliedAtMs) }))
}

/** Null for anything that is not such a position: a store that cannot say what it holds is restored in full. */
export function decodeStorePosition(bytes: Buffer): StorePosition | null {
  const stored = parseStored(bytes)
  if (!isObject(stored) || stored['version'] !== version) return null
  const { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs } = stored
  return isCount(epoch) &&
    typeof nonce === 'string' &&
    typeof lineage === 'string' &&
    isCount(generation) &&
    isCount(changelogEnd) &&
    typeof appliedAtMs === 'number'
    ? { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs }
    : null
}

/** Whether these are the bytes of a position that an earlier version of Tidemark has written, as it stored them. */
export function isEarlierPosition(bytes: Buffer): boolean {
  const stored = parseStored(bytes)
  return isObject(stored) && stored['version'] === earlierVersion
}
