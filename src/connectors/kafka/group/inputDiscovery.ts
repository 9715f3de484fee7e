import type { Timer } from '../../../core/ports/clock.ts'
import { TidemarkError, asTidemarkError } from '../../../core/errors.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import { partitionsChanged } from '../../../core/topicErrors.ts'
import { systemRandom } from '../../../core/ports/random.ts'
import { checkCopartitioned, tasksOf } from '../../../core/topicSelection.ts'
import { inputsMark } from './groupProtocol.ts'
import { isGone, resolveInputs, type InputSpec } from '../log/inputTopics.ts'
import type { GroupMember } from './groupMember.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import type { KafkaEnvironment } from '../config/kafkaConfig.ts'

/** Until inputs that differ from those that were dealt out are looked at again. */
const soonMs = 500
/** For so many discoveries the same inputs are not asked to be dealt out again. */
const patientIntervals = 10
/** Between two look-ups because of an input that does not exist. */
const missingLookUpMs = 1_000

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
  #timer: Timer | null = null
  #ended = false
  /** Told once, until it succeeds again. */
  #hasFailed = false
  #discoveredMs = -Infinity
  /** The last look-up found no topic for one of the patterns. */
  #lacksInputs = false
  /** The inputs for which this process has last asked for a rebalance. */
  #asked = { mark: '', atMs: 0 }

  constructor(options: InputDiscoveryOptions) {
    this.#options = options
    this.#counts = new Map(options.counts)
  }

  /** Partition count by topic, as of the last look-up. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** Looks at the inputs from time to time, from now on. */
  begin(): void {
    if (this.#timer === null) this.#schedule(this.#options.intervalMs)
  }

  end(): void {
    this.#ended = true
    this.#timer?.cancel()
  }

  /** Tasks have been dealt out. A process that was started again is told what was dealt out before it: it looks soon. */
  dealt(): void {
    if (this.#differsFromDealt()) this.#schedule(soonMs)
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
      for (const [topic, count] of found) {
        const before = this.#counts.get(topic) ?? count
        if (before !== count) throw partitionsChanged(topic, before, count)
      }
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
   * A topic that only a pattern has chosen may go: the inputs are looked up at once, and the tasks dealt out without it. One
   * that a list names, and the last one that is left, may not.
   */
  isMissing(topic: string): boolean {
    const { inputs } = this.#options.spec
    const isListed = inputs.some((selection) => selection.kind === 'topics' && selection.topics.includes(topic))
    if (isListed || this.#lacksInputs) return false
    const { clock } = this.#options.environment
    if (this.#timer !== null && clock.monotonicMs() - this.#discoveredMs >= missingLookUpMs) {
      this.#timer.cancel()
      this.#timer = null
      void this.#lookAndGoOn()
    }
    return true
  }

  /** Not at the same moment in all processes: the first one that sees a change spares the others the work. */
  #schedule(delayMs: number): void {
    if (this.#ended) return
    const { clock, random = systemRandom } = this.#options.environment
    this.#timer?.cancel()
    this.#timer = clock.after(delayMs * (0.75 + random.next() / 2), () => {
      this.#timer = null
      void this.#lookAndGoOn()
    })
  }

  async #lookAndGoOn(): Promise<void> {
    await this.#discover()
    this.#discoveredMs = this.#options.environment.clock.monotonicMs()
    this.#schedule(this.#options.intervalMs)
  }

  /**
   * New topics that match, and new partitions, are dealt out by a rebalance, which every member begins that sees them: the
   * leader may have been started again and not know that it leads.
   */
  async #discover(): Promise<void> {
    const before = inputsMark(this.#counts)
    const { log } = this.#options.environment
    try {
      await this.lookUp()
    } catch (error) {
      const failure = asTidemarkError(error, 'system-unreachable', 'Looking for new partitions failed')
      if (failure.code === 'partitions-changed' || failure.code === 'invalid-plan') this.#options.failed(failure)
      else if (!this.#hasFailed)
        log.warn('Looking for new topics and partitions failed; trying again later', { error: failure })
      this.#hasFailed = true
      this.#lacksInputs = failure.code === 'unknown-topic'
      return
    }
    this.#hasFailed = false
    this.#lacksInputs = false
    const member = this.#options.member()
    const changed = member.dealt === null ? inputsMark(this.#counts) !== before : this.#differsFromDealt()
    // What is dealt out just now is compared when it is known.
    if (!changed || member.joining || this.#askedLately()) return
    log.info('The inputs have changed; the tasks are dealt out anew', { topics: this.#counts.size })
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
