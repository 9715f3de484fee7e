import { sleep, within } from '../../core/ports/clock.ts'
import { TidemarkError, asTidemarkError } from '../../core/errors.ts'
import { Outage } from '../../core/outage.ts'
import { formatPosition, type RecordPosition } from '../../core/record.ts'
import { delayAfter, type Backoff } from '../../core/retry.ts'
import type { LogFields } from '../../core/ports/logger.ts'
import { RecordsRefused } from '../../core/outputRefusal.ts'
import type { TaskInputs } from '../../core/ports/inputs.ts'
import type { PositionFormat, Positions } from '../../core/ports/position.ts'
import type { AbortedEpoch } from './epoch.ts'
import type { JobShared } from '../job/jobShared.ts'
import type { Recovered } from './recovery.ts'
import { FailingStretch } from './failingStretch.ts'

/** How often a system that does not answer is asked again, and how long it is listened to. */
const probeDelayMs = 1000
const probeTimeoutMs = 5000
/** So many replays in a row are for records that the log has refused; then they count as failures and are looked for. */
const mostRefusals = 10
/** Before an epoch is tried again that failed because the log or another system was out of reach: leaders move in ms. */
const retries: Backoff = { initialDelayMs: 100, maxDelayMs: 500 }
/** Before a task is taken back from another owner, which needs the time for an epoch of its own. */
const firstYieldMs = 1000
const maxYieldMs = 60_000
/** More than any number of records can be halved. */
const mostHalvings = 64

/**
 * What a task does about a failure: an outage is waited out, a failing stretch is halved, the rest is the restart
 * strategy's. Each call resolves when the task may try again, at once when it is stopped, or rejects with what stops the
 * job.
 */
export class FailureAnswers {
  readonly #job: JobShared
  readonly #partition: number
  readonly #format: PositionFormat
  readonly #stopping: AbortSignal
  readonly #stretch = new FailingStretch()
  #halvings = 0
  #refusals = 0
  /** Since the last commit. */
  #retries = 0
  #yields = 0

  constructor(
    job: JobShared,
    { partition, inputs }: { readonly partition: number; readonly inputs: Pick<TaskInputs, 'format'> },
    stopping: AbortSignal,
  ) {
    this.#job = job
    this.#partition = partition
    this.#format = inputs.format
    this.#stopping = stopping
  }

  /** Records that the next epoch may take while a failing record is looked for; else Infinity. */
  get maxRecords(): number {
    return this.#stretch.limit
  }

  committed(): void {
    this.#halvings = 0
    this.#refusals = 0
    this.#retries = 0
    this.#yields = 0
    this.#stretch.committed()
  }

  async toFailedRecovery(thrown: unknown): Promise<void> {
    const error = asTidemarkError(thrown, 'commit-failed', `Recovery of partition ${String(this.#partition)} failed`)
    if (error.kind === 'unreachable' || isTakenOver(error)) {
      this.#warn('The log does not answer; trying again', error)
      return this.#beforeRetry(error)
    }
    if (error.kind !== 'epoch') throw error
    return this.#restart(error)
  }

  async toAbort(result: AbortedEpoch, { positions }: Recovered): Promise<void> {
    const { error } = result
    if (error.kind === 'guard' || error.kind === 'configuration') throw error
    if (error instanceof Outage) return this.#waitForAnswer(error)
    if (error.kind === 'unreachable' || result.unreachable !== null) {
      this.#job.log.warn('A system does not answer; the epoch is replayed', {
        partition: this.#partition,
        code: error.code,
        system: result.unreachable ?? error.details['system'],
      })
      return this.#beforeRetry(error)
    }
    if (error instanceof RecordsRefused && this.#refusals < mostRefusals) {
      // A dead letter may be refused in its turn, and more than once.
      this.#refusals += 1
      const { records } = error
      this.#warn('The log does not take some records; the epoch is replayed without them', error, { records })
      return
    }
    if (isTakenOver(error)) {
      this.#warn('The log took no commit; what is committed is read again', error)
      return this.#beforeRetry(error)
    }
    // No record is at fault, so none is looked for.
    if (error.code === 'commit-failed' || error.code === 'damaged-state') return this.#restart(error)
    switch (this.#stretch.failed(this.#keyOf(positions), result.records)) {
      case 'halve':
        // Halves are run at once and not counted, so a search that does not narrow would never end.
        this.#halvings += 1
        if (this.#halvings > mostHalvings) throw searchFailed(error, result)
        this.#job.log.warn('The same records failed again; running them in halves', {
          partition: this.#partition,
          records: this.#stretch.limit,
        })
        return
      case 'replay':
        return this.#restart(error)
      case 'poison':
        this.#halvings = 0
        // Counted under what failed, as its first failure was.
        return this.#restart(result.first === null ? error : poison(error, result.first), error.code)
    }
  }

  /** An outage: the input is paused until the system answers; not a failure, and nothing is dead-lettered. */
  async #waitForAnswer(outage: Outage): Promise<void> {
    const { log, outages } = this.#job
    const fields = { partition: this.#partition, system: outage.system }
    log.warn('A system does not answer; the input is paused until it does', fields)
    const over = outages.begin()
    try {
      while (!this.#stopping.aborted) {
        if (await this.#isAnswered(outage)) {
          log.info('The system answers again', fields)
          return
        }
        await this.#sleep(probeDelayMs)
      }
    } finally {
      over()
    }
  }

  /** A probe may fail, or never end; a stop ends the wait for it. */
  #isAnswered(outage: Outage): Promise<boolean> {
    // In a promise of its own, because a client may throw instead of rejecting.
    const answered = Promise.resolve()
      .then(() => outage.probe())
      .then(
        () => true,
        () => false,
      )
    return within(this.#job.clock, probeTimeoutMs, answered, () => false, this.#stopping)
  }

  async #restart(error: TidemarkError, cause: string = error.code): Promise<void> {
    const { restart, group } = this.#job
    const decision = restart.onFailure({ task: `${group}-${String(this.#partition)}`, cause })
    if (!decision.restart) {
      throw new TidemarkError(error.code, `${error.message}. Not restarted: ${decision.reason}`, {
        cause: error.cause ?? error,
        details: error.details,
      })
    }
    this.#job.metrics.restarting(error)
    const { failures, delayMs } = decision
    this.#warn('The epoch failed and will be replayed', error, { failures, delayMs })
    await this.#sleep(delayMs)
  }

  /**
   * Twice as long each time until something commits. Of two owners that take the task from each other, each with a wait of
   * its own, one soon gets the time that its epoch takes.
   */
  #beforeRetry({ details }: TidemarkError): Promise<void> {
    if (details['fenced'] !== true) {
      this.#retries += 1
      return this.#sleep(delayAfter(retries, this.#retries))
    }
    const maxDelayMs = Math.max(maxYieldMs, 4 * this.#job.checkpoint.intervalMs)
    this.#yields += 1
    const delayMs = delayAfter({ initialDelayMs: firstYieldMs, maxDelayMs }, this.#yields)
    return this.#sleep(delayMs * (0.5 + this.#job.random.next()))
  }

  #warn(message: string, { code, message: reason }: TidemarkError, more: LogFields = {}): void {
    this.#job.log.warn(message, { partition: this.#partition, code, reason, ...more })
  }

  #keyOf(positions: Positions): string {
    return JSON.stringify([...positions].map(([topic, position]) => [topic, this.#format.write(position)]))
  }

  #sleep(delayMs: number): Promise<void> {
    return sleep(this.#job.clock, delayMs, this.#stopping)
  }
}

/** Another owner fenced this one, or an answer was lost: recovery reads what happened; not a failure of the job. */
function isTakenOver({ code, retriable }: TidemarkError): boolean {
  return code === 'commit-failed' && retriable
}

function searchFailed(cause: TidemarkError, { records, first }: AbortedEpoch): TidemarkError {
  const from = first === null ? 'of an epoch' : `from ${formatPosition(first)} on`
  return new TidemarkError(
    'broken-invariant',
    `The search for a failing record among ${String(records)} records ${from} did not narrow: ${cause.message}`,
    { cause },
  )
}

function poison(error: TidemarkError, at: RecordPosition): TidemarkError {
  const { topic, partition, offset } = at
  const command = `npx tidemark topic read ${topic} --partition ${String(partition)} --from ${String(offset)} --limit 1`
  return new TidemarkError(
    'poison-record',
    `Record ${formatPosition(at)} makes the pipeline fail: ${error.message}. Look at it with \`${command}\`, and let the operator that cannot take it send it to onError`,
    { cause: error, details: { ...error.details, topic, partition, offset } },
  )
}
