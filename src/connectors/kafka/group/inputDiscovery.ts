import { TidemarkError } from '../../../core/errors.ts'
import { InputWatch } from '../../../core/inputWatch.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import { systemRandom } from '../../../core/ports/random.ts'
import { checkCopartitioned, checkUnchanged, tasksOf } from '../../../core/topicSelection.ts'
import { inputsMark } from './groupProtocol.ts'
import { isGone, resolveInputs, type InputSpec } from '../log/inputTopics.ts'
import type { GroupMember } from './groupMember.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import type { KafkaEnvironment } from '../config/kafkaConfig.ts'

/** Until inputs that differ from those that were dealt out are looked at again. */
const soonMs = 500
/** For so many discoveries the same inputs are not asked to be dealt out again. */
const patientIntervals = 10

export interface InputDiscoveryOptions {
  readonly cluster: KafkaCluster
  readonly spec: InputSpec & Pick<JobLogSpec, 'copartitioned'>
  readonly environment: KafkaEnvironment
  readonly intervalMs: number
  /** As they were found when the log was opened. */
  readonly counts: ReadonlyMap<string, number>
  member(): Pick<GroupMember, 'dealt' | 'joining' | 'rejoin'>
  /** There are more tasks than ever before. */
  grown(tasks: number): Promise<unknown>
  /** The group cannot be used with the inputs as they are now. */
  failed(failure: TidemarkError): void
}

/**
 * The inputs of a group while it runs: topics that begin to match, grow, and go. Whoever sees a change has the tasks dealt
 * out anew.
 */
export class InputDiscovery {
  readonly #options: InputDiscoveryOptions
  readonly #counts: Map<string, number>
  readonly #watch: InputWatch
  /** The inputs for which this process has last asked for a rebalance. */
  #asked = { mark: '', atMs: 0 }

  constructor(options: InputDiscoveryOptions) {
    this.#options = options
    this.#counts = new Map(options.counts)
    const { clock, log, random = systemRandom } = options.environment
    this.#watch = new InputWatch({
      clock,
      inputs: options.spec.inputs,
      intervalMs: options.intervalMs,
      // The first one that sees a change spares the others the work.
      spread: () => 0.75 + random.next() / 2,
      look: () => this.#discover(),
      failed: (failure) => {
        options.failed(failure)
      },
      delayed: (error) => {
        log.warn('Looking for new topics and partitions failed; trying again later', { error })
      },
    })
  }

  /** Partition count by topic, as of the last look-up. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** Looks at the inputs from time to time, from now on. */
  begin(): void {
    this.#watch.begin()
  }

  end(): void {
    this.#watch.end()
  }

  /** See `InputWatch`. */
  isMissing(topic: string): boolean {
    return this.#watch.isMissing(topic)
  }

  /** Tasks have been dealt out. A process that was started again is told what was dealt out before it: it looks soon. */
  dealt(): void {
    if (this.#differsFromDealt()) this.#watch.lookIn(soonMs)
  }

  /** A topic that is missing for a moment does not stop the group; one that is gone stops its tasks. */
  async now(): Promise<ReadonlyMap<string, number>> {
    try {
      return await this.lookUp()
    } catch (error) {
      if (error instanceof TidemarkError && error.code === 'unknown-topic') return this.#counts
      throw error
    }
  }

  /** The inputs as they are now; a group that may not grow and has, cannot be used. */
  async lookUp(): Promise<ReadonlyMap<string, number>> {
    const { cluster, spec } = this.#options
    const found = await resolveInputs(cluster, spec)
    if (spec.copartitioned) {
      checkUnchanged(this.#counts, found)
      checkCopartitioned(found)
    }
    const tasks = tasksOf(found)
    if (tasks > tasksOf(this.#counts)) await this.#options.grown(tasks)
    for (const [topic, count] of found) this.#counts.set(topic, count)
    for (const topic of this.#counts.keys()) {
      // A broker that is behind may list too few: this one is asked for by its name.
      if (!found.has(topic) && (await isGone(cluster, topic))) this.#counts.delete(topic)
    }
    return this.#counts
  }

  /**
   * New topics that match, and new partitions, are dealt out by a rebalance, which every member begins that sees them: the
   * leader may have been started again and not know that it leads.
   */
  async #discover(): Promise<void> {
    const before = inputsMark(this.#counts)
    await this.lookUp()
    const member = this.#options.member()
    const changed = member.dealt === null ? inputsMark(this.#counts) !== before : this.#differsFromDealt()
    // What is dealt out just now is compared when it is known.
    if (!changed || member.joining || this.#askedLately()) return
    this.#options.environment.log.info('The inputs have changed; the tasks are dealt out anew', {
      topics: this.#counts.size,
    })
    member.rejoin()
  }

  /** Whether other inputs than those that this process sees were dealt out last. */
  #differsFromDealt(): boolean {
    const { dealt } = this.#options.member()
    return dealt !== null && dealt !== inputsMark(this.#counts)
  }

  /** Two processes may see different inputs for long, as when a job's list of topics is changed one process at a time. */
  #askedLately(): boolean {
    const { intervalMs, environment } = this.#options
    const now = environment.clock.monotonicMs()
    const mark = inputsMark(this.#counts)
    if (mark === this.#asked.mark && now - this.#asked.atMs < patientIntervals * intervalMs) return true
    this.#asked = { mark, atMs: now }
    return false
  }
}
