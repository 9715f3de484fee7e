import type { FollowerProgress } from '../../core/changelogRecords.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { Follower } from '../../core/ports/follower.ts'
import type { StepFigure } from '../../core/figures.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { CommitMetadata, TaskId } from '../../core/ports/task.ts'
import type { EpochTransaction } from '../../core/ports/commitLog.ts'
import type { TaskWriteAheadLog } from '../../core/ports/writeAheadLog.ts'
import { EpochRows } from './epochRows.ts'
import { SenderTotals, followerFigures } from './followerFigures.ts'
import { RowSender } from './rowSender.ts'

/** So much is left in the log before it is trimmed: each time costs a write. */
const trimBytes = 1024 * 1024

/** A sink's follower in this process, which all tasks share. */
export interface SinkFollower {
  /** The name of the sink's step. */
  readonly step: string
  readonly follower: Follower
  /** Whether rows that its target refuses have somewhere to go. */
  readonly hasDeadLetters: boolean
}

/** How far each sink is, by uid. */
export type FollowersProgress = ReadonlyMap<string, FollowerProgress>

export interface TaskFollowersOptions {
  readonly task: TaskId
  readonly log: TaskWriteAheadLog
  /** By uid. */
  readonly followers: ReadonlyMap<string, SinkFollower>
  readonly clock: Clock
  readonly logger: Logger
  /** Bytes in the write-ahead log of one sink at which the task takes no more input. */
  readonly maxBytes: number
  /** Of epochs with refused rows, until a sink writes nothing more before they are ticked off: they are held in memory. */
  readonly epochBytes: number
  /** Rows that wait are given up where no step claims them, and before a reset where they cannot be sent. */
  readonly allowDropped: boolean
  /** Told when the task may have something to do: a tick-off, dead letters, a failure. */
  changed(): void
}

/** The sinks of one task that follow its commits. */
export class TaskFollowers {
  readonly #options: TaskFollowersOptions
  /** By uid. */
  readonly #totals: ReadonlyMap<string, SenderTotals>
  #senders: readonly RowSender[] = []
  /** Ticked off since the last trim. */
  #untrimmed = 0

  constructor(options: TaskFollowersOptions) {
    this.#options = options
    this.#totals = new Map([...options.followers.keys()].map((uid) => [uid, new SenderTotals()]))
  }

  /** Whether the job has any. */
  get any(): boolean {
    return this.#options.followers.size > 0
  }

  /** Something is to be ticked off: an epoch of the task does that, also without input. */
  get due(): boolean {
    return this.#senders.some(({ written }) => written.length > 0)
  }

  /** Every row that was ever logged stands in its target, and that is committed. */
  get settled(): boolean {
    return this.#senders.every(({ progress }) => progress.sent === progress.logged)
  }

  /** A target lags so far behind that no input is taken until some of it is ticked off. */
  get full(): boolean {
    return this.#senders.some(({ progress }) => progress.bytes >= this.#options.maxBytes)
  }

  /** What each step counts. */
  get figures(): readonly (readonly [step: string, figures: readonly StepFigure[]])[] {
    return [...this.#options.followers].map(([uid, { step }]) => {
      const waitingBytes = this.#senders.find(({ sink }) => sink.sink === uid)?.progress.bytes ?? 0
      return [step, followerFigures(this.#totals.get(uid) ?? new SenderTotals(), waitingBytes)]
    })
  }

  /** Of a sender that has ended with it. */
  get failure(): TidemarkError | null {
    return this.#senders.find(({ failure }) => failure !== null)?.failure ?? null
  }

  /** What the targets themselves say of the task's past; null: nothing. Rejects with `system-unreachable`. */
  async newest(): Promise<Pick<CommitMetadata, 'epoch' | 'followerBaseMicros'> | null> {
    const records = [...this.#options.followers].map(
      async ([sink, { follower }]) => (await follower.record?.({ ...this.#options.task, sink })) ?? null,
    )
    const found = (await Promise.all(records)).flatMap((record) => record ?? [])
    if (found.length === 0) return null
    return {
      epoch: Math.max(...found.map(({ epoch }) => epoch)),
      followerBaseMicros: Math.max(...found.map(({ nextBaseMicros }) => nextBaseMicros)),
    }
  }

  /**
   * The progress as it is taken over: without sinks that the job has no more, with those that are new to it.
   *
   * @throws TidemarkError `unclaimed-state` for rows that were not sent, of a sink that no step claims.
   */
  async adopt(committed: FollowersProgress): Promise<FollowersProgress> {
    const { followers, log, allowDropped, task } = this.#options
    for (const [uid, { sent, logged }] of committed) {
      if (followers.has(uid) || sent === logged || allowDropped) continue
      throw new TidemarkError(
        'unclaimed-state',
        `Rows of sink '${uid}' wait in the write-ahead log of job '${task.job}', partition ${String(task.partition)}, and no step has that uid: they would never be sent. Give the sink uid: '${uid}' again, or drop them with --allow-dropped`,
        { details: { job: task.job, uids: uid } },
      )
    }
    const end = followers.size === 0 ? 0 : await log.writtenEnd()
    return new Map(
      [...followers.keys()].map((uid) => {
        const known = committed.get(uid) ?? { sent: null, offset: end, logged: null, bytes: 0 }
        // A log that was made anew has lost nothing of a sink that has sent everything.
        return [uid, known.sent === known.logged ? { ...known, offset: Math.min(known.offset, end) } : known]
      }),
    )
  }

  /**
   * Sends all that is logged, whatever the targets have become meanwhile, and resolves with the progress then: before a reset,
   * which may be because a target was made anew. What is refused then stays in the log, for the dead letters of an epoch.
   * Rejects with what ended a sender, unless rows may be dropped.
   */
  async drain(progress: FollowersProgress, epoch: number, signal: AbortSignal): Promise<FollowersProgress> {
    let look: () => void = () => undefined
    const senders = this.#started(progress, epoch, {
      checked: false,
      changed: () => {
        look()
      },
      before: Promise.resolve(),
    })
    const stop = (): void => {
      look()
    }
    signal.addEventListener('abort', stop)
    try {
      for (;;) {
        const failed = senders.find(({ failure }) => failure !== null)?.failure ?? null
        if (failed !== null && !this.#options.allowDropped) throw failed
        if (signal.aborted) throw new TidemarkError('system-unreachable', 'The task ends before its rows are sent')
        if (senders.every(({ isEmpty, failure }) => isEmpty || failure !== null)) break
        await new Promise<void>((resolve) => {
          look = resolve
        })
      }
      const { end } = senders.some(({ failure }) => failure !== null) ? await this.#options.log.range() : { end: 0 }
      return new Map(senders.map((sender) => [sender.sink.sink, this.#drained(sender, end)]))
    } finally {
      signal.removeEventListener('abort', stop)
      await close(senders)
    }
  }

  /** Nothing of it is sent again, and nothing is asked of the target about it. `end`: behind what one that has failed has left. */
  #drained({ sink, failure, progress, written }: RowSender, end: number): FollowerProgress {
    if (failure !== null) {
      this.#options.logger.warn('Rows that were committed are not sent, as --allow-dropped says', {
        sink: sink.sink,
        partition: sink.partition,
        bytes: progress.bytes,
        code: failure.code,
        reason: failure.message,
      })
      return { sent: null, offset: end, logged: null, bytes: 0 }
    }
    if (written.some(({ refused }) => refused.length > 0)) return progress
    return { sent: null, offset: written.at(-1)?.end ?? progress.offset, logged: null, bytes: 0 }
  }

  /** Begins to send, after a recovery: from what the commit says is ticked off. */
  resume(progress: FollowersProgress, epoch: number): void {
    const before = this.#senders
    const closed = close(before).then(() => Promise.all(before.map(({ ended }) => ended)))
    this.#senders = this.#started(progress, epoch, {
      checked: true,
      changed: () => {
        this.#options.changed()
      },
      before: closed.then(() => undefined),
    })
    // Once a start, as a changelog is compacted: what short runs leave would never be enough.
    if (before.length === 0 && this.any) this.#trim()
  }

  /** The rows of the next attempt at the epoch behind a commit. */
  begin(
    last: Pick<CommitMetadata, 'epoch' | 'lineage' | 'followerBaseMicros'>,
    nonce: string,
    transaction: Pick<EpochTransaction, 'send'>,
  ): EpochRows {
    const { clock, log } = this.#options
    const { epoch, lineage, followerBaseMicros } = last
    const baseMicros = Math.max(Math.floor(clock.now() * 1000), followerBaseMicros ?? 0)
    return new EpochRows({ epoch: epoch + 1, nonce, lineage, baseMicros }, transaction, log, this.#senders)
  }

  /** As of the last commit. */
  get progress(): FollowersProgress {
    return new Map(this.#senders.map(({ sink, progress }) => [sink.sink, progress]))
  }

  /** An epoch has committed: its rows are sent from now on, what it has ticked off never again. */
  committed(epoch: number, progress: FollowersProgress): void {
    for (const sender of this.#senders) {
      const now = progress.get(sender.sink.sink)
      if (now === undefined) continue
      const ticked = sender.written.filter(({ end }) => end <= now.offset)
      this.#untrimmed += ticked.reduce((sum, { bytes }) => sum + bytes, 0)
      sender.committed(epoch, now)
    }
    if (this.#untrimmed >= trimBytes) this.#trim()
  }

  async close(): Promise<void> {
    await close(this.#senders)
  }

  /** Nothing is lost when it fails: the next one removes the same and more. */
  #trim(): void {
    const { log, logger, task } = this.#options
    this.#untrimmed = 0
    log.trim(Math.min(...this.#senders.map(({ progress }) => progress.offset))).catch((error: unknown) => {
      logger.debug('The write-ahead log could not be trimmed', { partition: task.partition, error })
    })
  }

  #started(
    progress: FollowersProgress,
    epoch: number,
    { before, ...options }: { readonly checked: boolean; readonly before: Promise<void>; readonly changed: () => void },
  ): readonly RowSender[] {
    const { task, log, followers, clock, logger, epochBytes: maxRefusedBytes } = this.#options
    return [...followers].map(([uid, { follower, hasDeadLetters }]) => {
      const sink = { ...task, sink: uid }
      const totals = this.#totals.get(uid) ?? new SenderTotals()
      const sender = new RowSender({
        ...options,
        follower,
        hasDeadLetters,
        maxRefusedBytes,
        sink,
        log,
        clock,
        logger,
        totals,
      })
      sender.start(progress.get(uid) ?? { sent: null, offset: 0, logged: null, bytes: 0 }, epoch, before)
      return sender
    })
  }
}

async function close(senders: readonly RowSender[]): Promise<void> {
  await Promise.all(senders.map((sender) => sender.close()))
}
