import type { FollowerProgress } from '../../core/changelogRecords.ts'
import { TidemarkError, asTidemarkError, atPosition } from '../../core/errors.ts'
import { atMost, sleep, type Clock } from '../../core/ports/clock.ts'
import { targetWentBack, type FollowedSink, type Follower, type RefusedRow } from '../../core/ports/follower.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { TaskWriteAheadLog } from '../../core/ports/writeAheadLog.ts'
import type { StreamRecord } from '../../core/record.ts'
import type { SenderTotals } from './followerFigures.ts'
import { readEpochs, removed, type LoggedEpoch } from './readEpochs.ts'

/** Before a target, or the log, is tried again. */
const firstRetryMs = 100
const longestRetryMs = 10_000
/** What is committed must show in the log within this time. */
const showsWithinMs = 10_000
const firstLookMs = 2
const longestLookMs = 100
/** A task that ends waits so long for a write that is under way: its next owner would make it again. */
const lastWriteMs = 2_000

/** A row that the target has refused, on its way to the dead letters. */
export interface RefusedOrigin {
  /** The uid of its sink. */
  readonly sink: string
  readonly error: TidemarkError
  readonly origin: StreamRecord<unknown>
}

/** An epoch whose rows stand in the target, and that is not ticked off. */
export interface WrittenEpoch {
  readonly epoch: number
  /** Behind its last chunk. */
  readonly end: number
  readonly bytes: number
  readonly refused: readonly RefusedOrigin[]
}

export interface RowSenderOptions {
  readonly sink: FollowedSink
  readonly follower: Follower
  /** Whether refused rows have somewhere to go; else the first one stops the task. */
  readonly hasDeadLetters: boolean
  /** Of epochs with refused rows: with more of them it waits for their tick-off, where there is one to come. */
  readonly maxRefusedBytes: number
  readonly log: TaskWriteAheadLog
  readonly clock: Clock
  readonly logger: Logger
  readonly totals: SenderTotals
  /** False: whatever the target has become meanwhile. */
  readonly checked: boolean
  /** Told when something was written, or the sender has failed. */
  readonly changed: () => void
}

/**
 * Sends the rows of one sink of one task to its target, epoch after epoch, beside the epochs of the task: from the
 * write-ahead log, in the order of their commits, each until the target has it. What was written waits for its tick-off: a
 * later epoch of the task commits that, with the dead letters of what was refused. Until then a new owner sends it again.
 *
 * | killed                            | the target has  | ticked off | what follows                                          |
 * |-----------------------------------|-----------------|------------|-------------------------------------------------------|
 * | before the commit of epoch n      | up to n-1       | n-1        | nothing of n is in the log                            |
 * | after the commit, before a write  | up to n-1       | n-1        | n is sent                                             |
 * | within the write                  | some rows of n  | n-1        | n is sent again, the same                             |
 * | after the write                   | up to n         | n-1        | n is sent again: the same, or known to be done        |
 * | after the commit of the tick-off  | up to n         | n          | nothing is sent, and the log is trimmed later         |
 */
export class RowSender {
  readonly sink: FollowedSink
  readonly #options: RowSenderOptions
  readonly #stopping = new AbortController()
  #progress: FollowerProgress = { sent: null, offset: 0, logged: null, bytes: 0 }
  /** In order; all behind what is ticked off. */
  #written: WrittenEpoch[] = []
  /** The last epoch that the task has committed, rows or not. */
  #committed = 0
  #failure: TidemarkError | null = null
  #running: Promise<void> = Promise.resolve()
  #wake: () => void = () => undefined

  constructor(options: RowSenderOptions) {
    this.sink = options.sink
    this.#options = options
  }

  /** As of the last commit. */
  get progress(): FollowerProgress {
    return this.#progress
  }

  /** What is to be ticked off. */
  get written(): readonly WrittenEpoch[] {
    return this.#written
  }

  /** All that was logged stands in the target. */
  get isEmpty(): boolean {
    return this.#lastEpoch() === this.#progress.logged
  }

  /** What ended it: the task has to recover, or to stop. */
  get failure(): TidemarkError | null {
    return this.#failure
  }

  /**
   * Begins to send, from what is ticked off on.
   *
   * @param before what has to end first: two senders never write to one sink at once.
   */
  start(progress: FollowerProgress, committedEpoch: number, before: Promise<void>): void {
    this.#progress = progress
    this.#committed = committedEpoch
    this.#running = before.then(() => this.#run())
  }

  /** Resolves when nothing is being sent any more. */
  get ended(): Promise<void> {
    return this.#running
  }

  /** An epoch has committed: what it has logged, and what it has ticked off. */
  committed(epoch: number, progress: FollowerProgress): void {
    this.#committed = epoch
    this.#progress = progress
    this.#written = this.#written.filter((written) => written.end > progress.offset)
    this.#wake()
  }

  /** Sends nothing more. Resolves when what is being written is done, or takes too long. */
  async close(): Promise<void> {
    this.#stopping.abort()
    this.#wake()
    await atMost(this.#options.clock, lastWriteMs, this.#running)
  }

  async #run(): Promise<void> {
    const { clock, logger, follower, totals, checked, changed } = this.#options
    const { signal } = this.#stopping
    let isChecked = !checked
    let retryMs = firstRetryMs
    while (!signal.aborted) {
      try {
        if (!isChecked) await this.#check()
        isChecked = true
        await this.#sendAll(() => {
          if (retryMs > firstRetryMs) logger.info('The target of a sink answers again', this.#fields())
          retryMs = firstRetryMs
        })
        await this.#woken()
      } catch (thrown) {
        const error = asTidemarkError(thrown, 'pipeline-failed', `Writing to ${follower.name} failed`)
        const wentBack = error.code === 'target-went-back' && isChecked && checked
        if (wentBack) {
          // What is not ticked off can be written anew; whether more is missing, the check will say.
          this.#written = []
          isChecked = false
        } else if (error.code === 'follower-fenced' || !error.retriable) {
          this.#failure = error
          changed()
          return
        }
        if (retryMs === firstRetryMs) {
          logger.warn('The target of a sink does not take its rows; they wait in the write-ahead log', {
            ...this.#fields(),
            code: error.code,
            reason: error.message,
          })
        }
        totals.retries += 1
        await sleep(clock, retryMs, signal)
        retryMs = Math.min(longestRetryMs, retryMs * 2)
      }
    }
  }

  /** Whether the target is what this task has left there. */
  async #check(): Promise<void> {
    const { sink, follower } = this.#options
    if (follower.record === undefined) return
    const record = await follower.record(sink)
    const { sent } = this.#progress
    if (sent !== null && (record?.epoch ?? -1) < sent) throw targetWentBack(record, sink, sent)
    if (record !== null && record.epoch > this.#committed) {
      throw new TidemarkError(
        'follower-fenced',
        `The target of sink '${sink.sink}' has epoch ${String(record.epoch)} of partition ${String(sink.partition)}, and the last commit of the job is epoch ${String(this.#committed)}: another owner of the task has gone on, or the job's log was set back`,
        { details: { sink: sink.sink, partition: sink.partition, epoch: record.epoch } },
      )
    }
  }

  async #sendAll(written: () => void): Promise<void> {
    const { log, clock } = this.#options
    let lookMs = firstLookMs
    let waitedMs = 0
    while (!this.isEmpty && !this.#stopping.signal.aborted) {
      const before = this.#position()
      for await (const epoch of readEpochs(log, this.sink.sink, before)) {
        await this.#write(epoch)
        written()
        await this.#refusedHaveRoom()
        if (this.#stopping.signal.aborted) return
      }
      if (this.#position() > before) {
        lookMs = firstLookMs
        waitedMs = 0
        continue
      }
      if (waitedMs >= showsWithinMs) throw await this.#notShown()
      await sleep(clock, lookMs, this.#stopping.signal)
      waitedMs += lookMs
      lookMs = Math.min(longestLookMs, lookMs * 2)
    }
  }

  /** What was refused is held until its dead letters have committed. Before a reset no epoch is to come. */
  async #refusedHaveRoom(): Promise<void> {
    const { checked, maxRefusedBytes } = this.#options
    const isFull = (): boolean =>
      this.#written.reduce((sum, { refused, bytes }) => sum + (refused.length > 0 ? bytes : 0), 0) >= maxRefusedBytes
    while (checked && isFull() && !this.#stopping.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** A committed epoch is gone, unless something before it is not decided yet: all of it may stand behind that. */
  async #notShown(): Promise<TidemarkError> {
    const { log } = this.#options
    const [{ end }, written] = [await log.range(), await log.writtenEnd()]
    const epoch = String(this.#progress.logged)
    if (end >= written) return removed(this.sink.sink, `epoch ${epoch} is committed and is not in it`)
    return new TidemarkError(
      'system-unreachable',
      `The write-ahead log can be read up to ${String(end)} of ${String(written)}, and epoch ${epoch} does not show in it: the marker of a transaction has not arrived`,
    )
  }

  async #write({ rows, end, bytes, previous, ...checkpoint }: LoggedEpoch): Promise<void> {
    const { sink, follower, clock, totals, checked, changed } = this.#options
    // Ticked off meanwhile, in an epoch that began before the target went back: what it lacks, the next write will say.
    if (checkpoint.epoch <= (this.#progress.sent ?? -1)) return
    if (previous !== this.#lastEpoch()) {
      throw removed(
        sink.sink,
        `epoch ${String(previous)} stood before epoch ${String(checkpoint.epoch)}, and is not in it`,
      )
    }
    const beganMs = clock.monotonicMs()
    const refused = await follower.write(sink, {
      ...checkpoint,
      rows: rows.map(({ row }) => row),
      previous: checked ? previous : null,
      tickedOff: this.#progress.sent,
    })
    totals.rows += rows.length - refused.length
    totals.writes.add(clock.monotonicMs() - beganMs)
    if (this.#stopping.signal.aborted) return
    this.#written.push({
      epoch: checkpoint.epoch,
      end,
      bytes,
      refused: refused.map((row) => this.#refused(row, rows[row.index]?.origin ?? null)),
    })
    changed()
  }

  #refused({ error }: RefusedRow, origin: StreamRecord<unknown> | null): RefusedOrigin {
    const { sink, hasDeadLetters } = this.#options
    if (hasDeadLetters && origin !== null) return { sink: sink.sink, error, origin }
    const why = hasDeadLetters ? 'it came from no record' : 'the sink has no onError that it could go to'
    const refused = new TidemarkError(
      error.code,
      `The target of sink '${sink.sink}' refuses a row for good, and ${why}: ${error.message}`,
      { cause: error, details: { ...error.details, sink: sink.sink } },
    )
    throw origin === null ? refused : atPosition(refused, origin)
  }

  #lastEpoch(): number | null {
    return this.#written.at(-1)?.epoch ?? this.#progress.sent
  }

  #position(): number {
    return this.#written.at(-1)?.end ?? this.#progress.offset
  }

  #fields(): Readonly<Record<string, unknown>> {
    const { sink, follower } = this.#options
    return { sink: sink.sink, partition: sink.partition, system: follower.name }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      if (!this.isEmpty || this.#stopping.signal.aborted) resolve()
    })
  }
}
