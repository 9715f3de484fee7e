import { TidemarkError } from '../errors.ts'
import type { Resource } from './port.ts'
import type { CheckpointId, TaskId } from './task.ts'

/** One sink of one task: whose rows a target is given, and whose record it keeps. */
export interface FollowedSink extends TaskId {
  /** The uid of the sink's step. */
  readonly sink: string
}

/** All rows of one sink in one committed epoch. A repeat, by whatever process, is the same to the last byte. */
export interface FollowedEpoch extends CheckpointId {
  readonly lineage: string
  /**
   * µs since 1970. Row k is written with the timestamp `baseMicros + k`: ordered within an epoch and between epochs, also
   * over moves of the task and a clock that is set back, and identical in a repeat.
   */
  readonly baseMicros: number
  /** As the sink's operator has encoded them, in the order in which it sent them; at least one. */
  readonly rows: readonly Buffer[]
  /** The last epoch with rows that was written before this one; null: there is none. */
  readonly previous: number | null
  /** Up to this epoch all is ticked off, dead letters included: its refusals are not asked for again. Null: nothing is. */
  readonly tickedOff: number | null
}

/** A row that the target does not take, now or ever. */
export interface RefusedRow {
  /** In `rows`. */
  readonly index: number
  /** Of kind `record`, `row-refused` for example: it becomes a dead letter. */
  readonly error: TidemarkError
}

/** What a target says of a sink beside its rows: the last epoch that stands there. */
export interface FollowerRecord extends CheckpointId {
  readonly lineage: string
  /** Behind the timestamps of all rows so far, in µs since 1970: where the base of the next epoch begins at least. */
  readonly nextBaseMicros: number
}

/**
 * What writes rows into a system that cannot join the commit: a database, a table, a web service. The rows of an epoch are
 * part of its commit (they stand in the write-ahead log), and are handed over afterwards: whole epochs, strictly in order for
 * each sink of a task, one at a time. One object serves all tasks of a process; different sinks are written beside each other.
 *
 * An epoch is handed over again until its tick-off is committed: after a crash, by another process after a move, and after
 * each rejection. So a write must be idempotent, by one of two means:
 * - a record beside the rows, in one transaction of the target, asked with `judgeEpoch` before: then anything may be written;
 * - no record, and rows that come to the same when they are written again with the same timestamps: upserts under a key.
 *
 * Every implementation runs the conformance suite in test/conformance/follower.ts.
 */
export interface Follower extends Resource {
  /** Names the system in errors, logs and figures: `cassandra`. */
  readonly name: string
  /** What the target has noted of a sink; null: nothing. Rejects with `system-unreachable`. Absent: it keeps no record. */
  record?(sink: FollowedSink): Promise<FollowerRecord | null>
  /**
   * Writes the rows of an epoch; resolves when they stand in the target as durably as it can, with the rows that it refused
   * for good: the same in each repeat, until the epoch is ticked off. The other rows are written.
   *
   * Rejects when it cannot be told whether all rows stand there; some may. With `system-unreachable`, or another error that is
   * `retriable`, it is tried again after a while, as often as it takes. With `follower-fenced` the task recovers first, with
   * `target-went-back` what is not ticked off is written anew; any other error stops the task. It must end by a timeout of its
   * own: nothing else is written to the sink until then.
   */
  write(sink: FollowedSink, epoch: FollowedEpoch): Promise<readonly RefusedRow[]>
}

/**
 * What is to be done about an epoch, by the record that the target has of the sink: asked within the transaction that writes
 * the rows and `recordOf(epoch)`. `done`: its rows stand there; answer what was refused of them then.
 *
 * @throws TidemarkError `follower-fenced` where another owner of the task has gone on, `target-went-back` where epochs that
 *   were written before are missing: the target is a replica that lagged behind, or was restored.
 */
export function judgeEpoch(record: FollowerRecord | null, sink: FollowedSink, epoch: FollowedEpoch): 'write' | 'done' {
  const isOurs = record !== null && record.lineage === epoch.lineage
  if (isOurs && (record.epoch > epoch.epoch || (record.epoch === epoch.epoch && record.nonce === epoch.nonce))) {
    return 'done'
  }
  // Between the last epoch with rows and this one there is none of this owner.
  if (record !== null && record.epoch > (epoch.previous ?? epoch.epoch - 1)) {
    throw new TidemarkError(
      'follower-fenced',
      `The target has epoch ${String(record.epoch)} of ${sinkText(sink)} already, written by another owner of the task; epoch ${String(epoch.epoch)} of this one is not written`,
      { retriable: true, details: { sink: sink.sink, partition: sink.partition, epoch: epoch.epoch, fenced: true } },
    )
  }
  if (epoch.previous !== null && (record?.epoch ?? -1) < epoch.previous)
    throw targetWentBack(record, sink, epoch.previous)
  return 'write'
}

/** What stands in the target beside an epoch's rows. */
export function recordOf({ lineage, epoch, nonce, baseMicros, rows }: FollowedEpoch): FollowerRecord {
  return { lineage, epoch, nonce, nextBaseMicros: baseMicros + rows.length + 1 }
}

/** @param epoch the last one that was written there. */
export function targetWentBack(record: FollowerRecord | null, sink: FollowedSink, epoch: number): TidemarkError {
  const found = record === null ? 'has no record of it' : `is at epoch ${String(record.epoch)}`
  return new TidemarkError(
    'target-went-back',
    `The target had all rows of ${sinkText(sink)} up to epoch ${String(epoch)}, and ${found} now: it was restored from a copy, or is a replica that lagged behind, and rows are missing from it. Bring back a state that has epoch ${String(epoch)}, or fill the target anew: with --reset-offsets <mode>`,
    { details: { sink: sink.sink, partition: sink.partition, epoch, found: record?.epoch ?? null } },
  )
}

function sinkText({ sink, job, partition }: FollowedSink): string {
  return `sink '${sink}' of job '${job}', partition ${String(partition)}`
}
