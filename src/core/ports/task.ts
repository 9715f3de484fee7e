/**
 * A task is a partition number of a source group: it owns that partition of every topic in the group. It is the unit of
 * parallelism, order, state and exactly-once.
 */
export interface TaskId {
  readonly job: string
  /** `source` for the group of all `fromKafka` of a pipeline. */
  readonly group: string
  readonly partition: number
}

/** A checkpoint's identity is never the epoch's number alone: two owners may cut epoch n differently. */
export interface CheckpointId {
  readonly epoch: number
  /** Random, one per attempt. */
  readonly nonce: string
}

/** The state that belongs to a job's unbroken run of epochs: a reset or a start from a savepoint begins a new one. */
export interface Lineage {
  /** Random, written at epoch 0 and at every reset. */
  readonly lineage: string
  /** Part of every changelog key; a new one starts with empty state. */
  readonly generation: number
}

/** What stands beside the offsets of ALL inputs of a task in each commit; recovery reads it. */
export interface CommitMetadata extends CheckpointId, Lineage {
  readonly version: 1
  /** How many inputs carry this metadata; fewer at recovery means that committed offsets were lost. */
  readonly inputs: number
  /** Partition count of each input topic at epoch 0. */
  readonly partitionCounts: Readonly<Record<string, number>>
  readonly transactionalIdPrefix: string
  /** Changelog offset up to which the local state belongs to this commit (exclusive). */
  readonly changelogEnd: number
  /** Write-timestamp base of the followers in µs; null until a job has one. */
  readonly followerBaseMicros: number | null
  /** Event-time watermark in ms; null where the job uses none. */
  readonly watermarkMs: number | null
}

/** What a commit says before its place in the changelog is known. */
export type CommitContent = Omit<CommitMetadata, 'changelogEnd'>

export function sameCheckpoint(a: CheckpointId | null, b: CheckpointId | null): boolean {
  return a !== null && b !== null && a.epoch === b.epoch && a.nonce === b.nonce
}
