import { recordedPositions } from '../../core/changelogRecords.ts'
import { asTidemarkError, type TidemarkError } from '../../core/errors.ts'
import type { StepFigure } from '../../core/figures.ts'
import { TaskGate } from '../../core/ports/gate.ts'
import type { Positions } from '../../core/ports/position.ts'
import type { CommitContent, CommitMetadata } from '../../core/ports/task.ts'
import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import type { TaskReader } from '../../core/ports/inputs.ts'
import type { TaskLog } from '../../core/ports/taskLog.ts'
import type { TaskState } from '../../core/ports/taskState.ts'
import { rowsOf } from '../follower/epochRows.ts'
import { TaskFollowers, type FollowersProgress } from '../follower/taskFollowers.ts'
import { EpochAttempt } from '../attempt/epochAttempt.ts'
import type { Kept } from '../attempt/attemptStep.ts'
import { closeQuietly } from '../../core/ports/logger.ts'
import { commitPositions, countsOf, hasMoved } from './commitPositions.ts'
import { checkpointTimeout, runEpoch, type AbortedEpoch, type EpochResult } from './epoch.ts'
import { FailureAnswers } from './failureAnswers.ts'
import { InputWait } from './inputWait.ts'
import type { JobShared } from '../job/jobShared.ts'
import type { Pump } from '../attempt/pump.ts'
import type { MeasuredTask, TaskActivity } from '../metrics/jobMetrics.ts'
import { recover, type Recovered } from './recovery.ts'
import { unclaimedState } from './unclaimedState.ts'

/** A task that ends waits so long for the commit of such a position. */
const lastCommitMs = 2_000

/**
 * Runs one task: recover, then epoch after epoch, until the input ends, the job stops, or nothing helps any more. An
 * unknown outcome is answered by recovery, everything else that fails by `FailureAnswers`.
 *
 * A task comes to rest in one way: its signal `#stopping` ends every wait (for input, for an outage, between two tries), the
 * pump is cut, the epoch under way takes its end, and `run` closes what it has opened and settles. Who asks for what:
 *
 * | asked for                | by                                         | the epoch under way                | `run`            |
 * |--------------------------|--------------------------------------------|------------------------------------|------------------|
 * | `checkpointNow`          | a group that is about to rebalance         | is cut and commits                 | goes on          |
 * | `stop`                   | a stop, a revocation, another task's error | is cut and commits                 | resolves         |
 * | `halt`                   | a guard, anywhere in the process           | fails, unless it is committing     | rejects with it  |
 * | end of a bounded input   | the task itself                            | has committed                      | resolves         |
 * | an error that is final   | the task itself                            | is aborted                         | rejects with it  |
 *
 * None of them waits: who needs the end awaits `run` (`JobTasks`), or the epoch (`checkpointNow`). An attempt's own `fail` only
 * ends its pipelines; `runEpoch` then gives its transaction up.
 */
export class TaskRun implements MeasuredTask {
  readonly #job: JobShared
  readonly #log: TaskLog
  readonly #state: TaskState | null
  readonly #ends: Positions | null
  readonly #kept = new Map<string, Kept>()
  readonly #answers: FailureAnswers
  /** How often operators closed it, and for how long, is what metrics see of it. */
  readonly gate: TaskGate
  readonly #stopping = new AbortController()
  readonly #input: InputWait
  readonly #followers: TaskFollowers
  #pump: Pump | null = null
  /** The epoch under way. */
  #epoch: Promise<unknown> = Promise.resolve()
  #attempt: EpochAttempt | null = null
  #reader: TaskReader | null = null
  #recovered: Recovered | null = null
  #lastCommitMs = -Infinity
  #halted: TidemarkError | null = null
  #compacted = false
  trouble: TidemarkError | null = null
  /** By the monotonic clock; null: there is no trouble. */
  #troubledSinceMs: number | null = null
  #over: 'ended' | 'failed' | null = null

  /** `ends`: where a bounded run stops; null to follow. `state`: null for a job without keyed state. */
  constructor(job: JobShared, log: TaskLog, state: TaskState | null, ends: Positions | null) {
    this.#job = job
    this.#log = log
    this.#state = state
    this.#ends = ends
    this.#answers = new FailureAnswers(job, log, this.#stopping.signal)
    this.#input = new InputWait(job.clock, this.#stopping.signal)
    this.gate = new TaskGate(job.clock, () => this.#pump?.gateOpened())
    this.#followers = new TaskFollowers({
      task: { job: job.job.name, group: job.group, partition: log.partition },
      log: log.writeAheadLog,
      followers: job.followers,
      clock: job.clock,
      logger: job.log,
      maxBytes: job.followerMaxBytes,
      epochBytes: job.limits.epochBytes,
      allowDropped: job.allowDropped,
      changed: () => {
        this.#input.look()
      },
    })
  }

  get partition(): number {
    return this.#log.partition
  }

  /** Resolves when the task has ended cleanly; rejects with what must stop the job. */
  async run(): Promise<void> {
    try {
      while (!this.#stopping.signal.aborted) {
        const outcome = await this.#recoverAndRun()
        if (outcome === 'ended') break
      }
      if (this.#halted !== null) throw this.#halted
      if (this.#ends !== null && !this.#stopping.signal.aborted) await this.#countUndecided()
      this.#over = 'ended'
    } finally {
      this.#over ??= 'failed'
      this.#reader?.close()
      const log = this.#job.log.with({ partition: this.partition })
      await closeQuietly('what follows the commits', this.#followers, log)
      await closeQuietly('local state', this.#state, log)
      await closeQuietly('the log of a task', this.#log, log)
    }
  }

  /** What a bounded run cannot read yet, so that nobody takes it for read. */
  async #countUndecided(): Promise<void> {
    try {
      const counts = this.#log.inputs.topics.map((topic) => this.#log.inputs.undecided(topic))
      const records = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
      this.#job.metrics.undecided(this.partition, records)
    } catch (error) {
      // The run is done and committed; it only has less to tell.
      this.#job.log.debug('Open transactions could not be looked for', { partition: this.partition, error })
    }
  }

  /** Finishes the current epoch, commits, and ends. */
  stop(): void {
    this.#stopping.abort()
    this.#pump?.cut('stop')
  }

  /** Cuts the current epoch now; resolves when it is committed or given up, at once when there is none. */
  async checkpointNow(): Promise<void> {
    this.#pump?.cut('stop')
    await this.#epoch
  }

  /** Ends the current epoch with a broken invariant; the task then rejects with it. */
  halt(error: TidemarkError): void {
    this.#halted ??= error
    this.#attempt?.fail(error)
    this.stop()
  }

  async #recoverAndRun(): Promise<'again' | 'ended'> {
    try {
      this.#recovered ??= await this.#recover()
    } catch (thrown) {
      this.#isTroubled(asTidemarkError(thrown, 'commit-failed', 'Recovery failed'))
      await this.#answers.toFailedRecovery(thrown)
      return 'again'
    }
    const reader = (this.#reader ??= this.#log.inputs.read(this.#recovered.positions, this.#ends))
    const dueAtMs = this.#lastCommitMs + this.#job.checkpoint.intervalMs
    const input = await this.#input.next(reader, this.#followers, dueAtMs)
    if (input === 'idle' || input === 'over') {
      await this.#commitGaps(reader, this.#recovered, input)
      return input === 'over' ? 'ended' : 'again'
    }
    const { failure } = this.#followers
    if (failure !== null) {
      this.#isTroubled(failure)
      this.#recovered = null
      await this.#answers.toFailedRecovery(failure)
      return 'again'
    }
    await this.#job.outages.over(this.#stopping.signal)
    if (this.#stopping.signal.aborted) return 'ended'
    const recovered = this.#recovered
    const epoch = this.#runEpoch(recovered, reader, input)
    this.#epoch = epoch
    const result = await epoch
    if (this.#halted !== null) throw this.#halted
    if (result.kind === 'committed') {
      const { metadata, positions } = result
      this.#recovered = { metadata, positions, followers: this.#followers.progress }
      return result.cut === 'end' && this.#followers.settled ? 'ended' : 'again'
    }
    await this.#afterAbort(result, recovered)
    return 'again'
  }

  async #recover(): Promise<Recovered> {
    const recovered = await recover({
      ...this.#job,
      log: this.#log,
      state: this.#state,
      logger: this.#job.log.with({ partition: this.partition }),
      followers: this.#followers,
      stopping: this.#stopping.signal,
    })
    await this.#checkUids(recovered)
    if (!this.#compacted) await this.#compact(recovered)
    this.#compacted = true
    this.#reader?.close()
    this.#reader = null
    const { epoch } = recovered.metadata
    this.#followers.resume(recovered.followers, epoch)
    this.#job.metrics.recovered(this.partition, epoch, await this.#backlog(recovered))
    this.#job.progressed(epoch)
    return recovered
  }

  async #checkUids({ metadata }: Recovered): Promise<void> {
    if (this.#state === null || this.#compacted) return
    const unclaimed = await unclaimedState(this.#state, metadata, this.#job.plan)
    if (unclaimed === null) return
    if (!this.#job.allowDropped) throw unclaimed.error
    this.#job.log.warn('There is keyed state that no step claims; it is left where it is, and not read', {
      partition: this.partition,
      uids: unclaimed.uids.join(', '),
    })
  }

  /** Once a start. Without state the changelog holds lineage and commit records only, the last of which are needed. */
  async #compact({ metadata }: Recovered): Promise<void> {
    if (this.#state === null) await this.#log.changelog.compact(() => true)
    else await this.#state.compact(this.#log.changelog, metadata)
  }

  /** Records between the positions and the end of the inputs. */
  async #backlog({ positions }: Recovered): Promise<number> {
    const lag = await this.#lagOf(positions, this.#ends)
    return [...lag.values()].reduce((sum, records) => sum + records, 0)
  }

  async #lagOf(positions: Positions, ends: Positions | null): Promise<ReadonlyMap<string, number>> {
    const lag = new Map<string, number>()
    for (const [topic, at] of positions) lag.set(topic, await this.#log.inputs.lag(topic, at, ends?.get(topic)))
    return lag
  }

  /**
   * Commits positions that have passed only what holds no record: markers, aborted records, gaps. Retention may remove those,
   * and a committed position before them would then look like lost records. Nothing is lost when it fails: a task that goes on
   * recovers first, and the next owner passes the same gaps.
   */
  async #commitGaps(reader: TaskReader, recovered: Recovered, why: 'idle' | 'over'): Promise<void> {
    // What failed has nothing to be replayed: it was committed after all.
    if (why === 'idle') this.#isWell()
    const { metadata, positions, followers } = recovered
    const at = reader.positions()
    if (this.#halted !== null || this.#log.commitLog.lost || !hasMoved(this.#log.inputs.format, positions, at)) return
    const { clock, checkpoint } = this.#job
    const commit = this.#contentOf(metadata, at)
    const timeoutMs = why === 'over' ? Math.min(lastCommitMs, checkpoint.timeoutMs) : checkpoint.timeoutMs
    const committing = commitPositions({
      transaction: this.#log.commitLog.begin(),
      positions: at,
      commit,
      entries: [this.#entryOf(at, commit, followers)],
      inTime: checkpointTimeout(clock, timeoutMs),
    }).then(async (committed) => {
      await this.#state?.apply([], committed)
      return committed
    })
    this.#epoch = committing.catch(() => undefined)
    try {
      this.#recovered = { metadata: await committing, positions: at, followers }
      this.#followers.committed(commit.epoch, followers)
      this.#lastCommitMs = clock.monotonicMs()
    } catch (error) {
      this.#recovered = null
      this.#job.log.debug('A position behind the last record could not be committed', {
        partition: this.partition,
        error,
      })
    }
  }

  #contentOf(metadata: CommitMetadata, at: Positions): CommitContent {
    return {
      ...metadata,
      epoch: metadata.epoch + 1,
      nonce: this.#job.random.hex(8),
      inputs: at.size,
      partitionCounts: countsOf(metadata.partitionCounts, at),
      transactionalIdPrefix: this.#job.plan.transactionalIdPrefix,
    }
  }

  #entryOf(at: Positions, commit: CommitContent, followers: FollowersProgress): ChangelogEntry {
    return this.#job.records.commit({
      groupId: this.#job.plan.groupId,
      positions: recordedPositions(this.#log.inputs, at),
      commit,
      followers,
    })
  }

  async #runEpoch(recovered: Recovered, reader: TaskReader, input: 'readable' | 'due'): Promise<EpochResult> {
    const { metadata } = recovered
    const { clock, checkpoint } = this.#job
    const epoch = metadata.epoch + 1
    const transaction = this.#log.commitLog.begin()
    const rows = this.#followers.any ? this.#followers.begin(metadata, this.#job.random.hex(8), transaction) : null
    let { followers } = recovered
    const stateAttempt = this.#state?.begin(metadata) ?? null
    const attempt = new EpochAttempt({
      ...this.#job,
      planning: false,
      partition: this.partition,
      epoch,
      gate: this.gate,
      kept: this.#kept,
      state: stateAttempt,
      sink: (spec) => ({
        send: (record) => {
          transaction.send(record, spec.guarantee)
        },
        refusal: (record) => this.#log.outputs.refusal(record),
      }),
      follow: ({ uid }) => rowsOf(rows, uid),
      lostAfterCommit: (error) => {
        this.#job.fail(error)
      },
    })
    this.#attempt = attempt
    const now = clock.monotonicMs()
    const result = await runEpoch({
      attempt,
      transaction,
      stateAttempt,
      state: this.#state,
      reader,
      gate: this.gate,
      clock,
      limits: {
        cutAfterMs: Math.max(checkpoint.intervalMs, this.#lastCommitMs + checkpoint.minPauseMs - now),
        maxRecords: this.#answers.maxRecords,
        maxBytes: this.#job.limits.epochBytes,
      },
      checkpointTimeoutMs: checkpoint.timeoutMs,
      turnEnds: this.#job.turnEnds,
      halted: () => this.#halted,
      start: (started) => {
        started.start()
        if (rows !== null) started.passRefused(rows.refused)
      },
      commit: (at) => {
        const content = this.#contentOf(metadata, at)
        if (rows === null) return content
        const { nonce, followerBaseMicros, ...finished } = rows.finish()
        followers = finished.followers
        return { ...content, nonce, followerBaseMicros }
      },
      commitEntry: (at, commit) => this.#entryOf(at, commit, followers),
      pumping: (pump) => {
        this.#pump = pump
        if (input === 'due') pump.cut('due')
        if (this.#stopping.signal.aborted) pump.cut('stop')
      },
    })
    this.#pump = null
    this.#attempt = null
    if (result.kind === 'committed') {
      this.#lastCommitMs = clock.monotonicMs()
      this.#followers.committed(epoch, followers)
      this.#answers.committed()
      this.#isWell()
      this.#job.metrics.committed(this.partition, result, attempt.context.tallies, attempt.context.flow)
      this.#job.progressed(epoch)
    }
    return result
  }

  /** Whatever follows an aborted epoch, it begins at the last commit again. */
  async #afterAbort(result: AbortedEpoch, recovered: Recovered): Promise<void> {
    this.#isTroubled(result.error)
    this.#job.metrics.abortedEpoch(result.error, result.records)
    this.#reader?.close()
    this.#reader = null
    // State that is damaged is restored by recovery.
    const damaged = result.error.code === 'damaged-state'
    if (result.outcomeUnknown || damaged || this.#log.commitLog.lost) this.#recovered = null
    await this.#answers.toAbort(result, recovered)
  }

  #isTroubled(error: TidemarkError): void {
    this.trouble = error
    this.#troubledSinceMs ??= this.#job.clock.monotonicMs()
  }

  #isWell(): void {
    this.trouble = null
    this.#troubledSinceMs = null
  }

  // What metrics see; nothing here changes anything

  get state(): TaskActivity {
    if (this.#over !== null) return this.#over
    if (this.#attempt?.barrierPassed === true) return 'committing'
    if (this.#attempt !== null) return this.gate.closed ? 'held' : 'running'
    if (this.#recovered === null) return 'recovering'
    return this.trouble === null ? 'idle' : 'waiting'
  }

  get troubledMs(): number {
    return this.#troubledSinceMs === null ? 0 : this.#job.clock.monotonicMs() - this.#troubledSinceMs
  }

  get epochRecords(): number {
    return this.#pump?.records ?? 0
  }

  get pending(): number {
    return this.#attempt?.pending ?? 0
  }

  get figures(): readonly (readonly [step: string, figures: readonly StepFigure[]])[] {
    return [...[...this.#kept].map(([step, kept]) => [step, kept.figures()] as const), ...this.#followers.figures]
  }

  lag(): Promise<ReadonlyMap<string, number>> {
    // Between epochs the reader may have passed gaps that no commit has noted yet.
    const positions = (this.#attempt === null ? this.#reader?.positions() : null) ?? this.#recovered?.positions
    return this.#lagOf(positions ?? new Map(), null)
  }
}
