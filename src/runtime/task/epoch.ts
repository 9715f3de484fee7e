import { within, type Clock } from '../../core/ports/clock.ts'
import { TidemarkError, asTidemarkError } from '../../core/errors.ts'
import type { TaskGate } from '../../core/ports/gate.ts'
import type { RecordPosition } from '../../core/record.ts'
import type { Positions } from '../../core/ports/position.ts'
import type { CommitContent, CommitMetadata } from '../../core/ports/task.ts'
import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../core/ports/commitLog.ts'
import type { TaskReader } from '../../core/ports/inputs.ts'
import type { StateAttempt, TaskState } from '../../core/ports/taskState.ts'
import type { EpochAttempt } from '../attempt/epochAttempt.ts'
import { guards } from '../attempt/guards.ts'
import { Pump, type CutReason, type PumpLimits } from '../attempt/pump.ts'

/** One attempt at one epoch, ready to run. */
export interface EpochInput {
  readonly attempt: EpochAttempt
  readonly transaction: EpochTransaction
  readonly stateAttempt: StateAttempt | null
  readonly state: TaskState | null
  readonly reader: TaskReader
  readonly gate: TaskGate
  readonly clock: Clock
  readonly limits: PumpLimits
  /** From barrier to commit. */
  readonly checkpointTimeoutMs: number
  /** Builds the pipelines and subscribes them. */
  start(attempt: EpochAttempt): void
  /** What is committed beside the offsets, but for the changelog's end. */
  commit(positions: Positions): CommitContent
  /** The same as the last entry of the changelog. */
  commitEntry(positions: Positions, commit: CommitContent): ChangelogEntry
  /** See `RunOptions`. */
  readonly turnEnds: (() => Promise<void>) | undefined
  /** Why the task commits nothing more. */
  halted(): TidemarkError | null
  /** Hands the pump out, so that a stop or an opened gate reaches it. */
  pumping(pump: Pump): void
}

/** How long each phase of an epoch took, in ms. */
export interface EpochPhases {
  readonly emitMs: number
  readonly drainMs: number
  readonly commitMs: number
  readonly applyMs: number
}

export interface CommittedEpoch {
  readonly kind: 'committed'
  readonly metadata: CommitMetadata
  readonly positions: Positions
  readonly records: number
  readonly cut: CutReason
  readonly phases: EpochPhases
}

export interface AbortedEpoch {
  readonly kind: 'aborted'
  readonly error: TidemarkError
  readonly records: number
  readonly first: RecordPosition | null
  /** True when the log refused or did not answer: the task must fence and read what is committed. */
  readonly outcomeUnknown: boolean
  /** The checkpoint timed out while this system did not answer. */
  readonly unreachable: string | null
}

export type EpochResult = CommittedEpoch | AbortedEpoch

/**
 * Runs one epoch: pipeline subscribed -> records emitted -> barrier -> drained -> sends and changelog stored -> COMMIT ->
 * state applied. Never rejects: whatever went wrong, the transaction is given up and the reason returned.
 */
export async function runEpoch(input: EpochInput): Promise<EpochResult> {
  const { attempt, clock, transaction } = input
  const pump = new Pump({
    reader: input.reader,
    attempt,
    limits: input.limits,
    clock,
    gateClosed: () => input.gate.closed,
    otherBytes: () => transaction.bytes + (input.stateAttempt?.bytes ?? 0),
  })
  let committing = false
  try {
    const began = clock.monotonicMs()
    input.start(attempt)
    input.pumping(pump)
    attempt.finished.catch(() => {
      pump.cut('failed')
    })
    const cut = attempt.settled ? 'failed' : await pump.run()
    if (cut === 'failed') {
      if (!attempt.settled) throw pump.failure ?? readFailure(input.reader)
      await attempt.finished
    }
    const atBarrier = clock.monotonicMs()
    const inTime = checkpointTimeout(clock, input.checkpointTimeoutMs)
    const positions = input.reader.positions()
    attempt.barrier()
    const drained = watchForNoEnd(attempt, clock, input.checkpointTimeoutMs / 2)
    try {
      await inTime(attempt.finished)
    } finally {
      drained.stop()
    }
    await input.turnEnds?.()
    const halted = input.halted()
    if (halted !== null) throw halted
    const atDrained = clock.monotonicMs()
    const delta = input.stateAttempt?.delta() ?? []
    const commit = input.commit(positions)
    const entries = [...delta, input.commitEntry(positions, commit)]
    // From here on the log decides: whatever it refuses or does not answer is settled by a fence, never tried again.
    committing = true
    const changelogEnd = await inTime(transaction.prepare(entries))
    const metadata = { ...commit, changelogEnd }
    // Something was emitted too late for this epoch: a commit would make that loss final.
    if (attempt.lost !== null) throw attempt.lost
    await inTime(transaction.commit(positions, metadata))
    const atCommitted = clock.monotonicMs()
    await input.state?.apply(delta, metadata)
    return {
      kind: 'committed',
      metadata,
      positions,
      records: pump.records,
      cut,
      phases: {
        emitMs: atBarrier - began,
        drainMs: atDrained - atBarrier,
        commitMs: atCommitted - atDrained,
        applyMs: clock.monotonicMs() - atCommitted,
      },
    }
  } catch (thrown) {
    const error = asTidemarkError(thrown, committing ? 'commit-failed' : 'pipeline-failed', 'The epoch failed')
    const unreachable = error.code === 'checkpoint-timeout' ? attempt.unreachable : null
    attempt.fail(error)
    // An abort that fails as well must not hide the error: the fence settles both.
    const aborted = await transaction.abort().then(
      () => true,
      () => false,
    )
    return {
      kind: 'aborted',
      error,
      records: pump.records,
      first: pump.first,
      outcomeUnknown: committing || !aborted,
      unreachable,
    }
  }
}

/** Runs from an epoch's barrier to its commit: what does not end by then is `checkpoint-timeout`. */
export function checkpointTimeout(clock: Clock, timeoutMs: number): <T>(promise: Promise<T>) => Promise<T> {
  const dueMs = clock.monotonicMs() + timeoutMs
  return (promise) =>
    within(clock, Math.max(0, dueMs - clock.monotonicMs()), promise, () => {
      throw new TidemarkError(
        'checkpoint-timeout',
        `The checkpoint was abandoned: it was not committed within checkpoint.timeout.ms (${String(timeoutMs)}) after its barrier`,
        { details: { timeoutMs } },
      )
    })
}

function readFailure(reader: TaskReader): TidemarkError {
  return asTidemarkError(reader.failure, 'pipeline-failed', 'Reading the input failed')
}

/**
 * The guard *no end*: after the barrier nothing of ours is pending, and still the pipeline does not complete. A stock
 * operator may be waiting for a promise, so it is given half of the checkpoint timeout.
 */
function watchForNoEnd(attempt: EpochAttempt, clock: Clock, graceMs: number): { stop(): void } {
  let timer = clock.after(graceMs, look)
  function look(): void {
    if (attempt.settled) return
    if (attempt.pending > 0 || attempt.unreachable !== null) {
      timer = clock.after(graceMs, look)
      return
    }
    attempt.fail(guards.noEnd(graceMs, { epoch: attempt.context.epoch, partition: attempt.context.partition }))
  }
  return {
    stop: () => {
      timer.cancel()
    },
  }
}
