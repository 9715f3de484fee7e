import type { Timer } from '../../../core/ports/clock.ts'
import type { TidemarkError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { offsetRemoved, topicRecreated } from '../../../core/topicErrors.ts'
import { formatPosition } from '../../../core/record.ts'
import { delayAfter, type Backoff } from '../../../core/retry.ts'
import { UnreadableStretch } from './unreadableStretch.ts'
import { FetchedStretch } from './fetchedStretch.ts'
import type { FetchTarget } from './fetchTarget.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { unknownInKafka } from '../client/topicDirectory.ts'
import { BrokerRefusal, asKafkaError } from '../client/kafkaErrors.ts'
import { readRange } from './partitionOffsets.ts'
import { describeCode, kafkaError, leaderMoved, mayBeDamaged } from '../protocol/errorCodes.ts'
import { fetchesById, requestFetch, type FetchedPartition } from '../protocol/fetch.ts'
import { PackedBatches } from '../protocol/packedBatches.ts'

export interface FetchLimits {
  /** A batch that is damaged, or that its broker cannot read, is asked for again for so long. */
  readonly damagedMs: number
  /** How long the broker holds a fetch that finds nothing. A partition that is wanted again waits for that as well. */
  readonly maxWaitMs: number
  /** Of one answer. */
  readonly maxBytes: number
  readonly maxPartitionBytes: number
  /** A record that takes more is not read; it is handed over as an `UnreadRecord`. */
  readonly maxRecordBytes: number
}

const defaultLimits: FetchLimits = {
  damagedMs: 120_000,
  maxWaitMs: 250,
  maxBytes: 8 * 1024 * 1024,
  maxPartitionBytes: 1024 * 1024,
  maxRecordBytes: 64 * 1024 * 1024,
}

const retries: Backoff = { initialDelayMs: 50, maxDelayMs: 1000 }
/** Stands for whichever broker is asked for the leaders. */
const nobody = -1
/** A topic that does not exist for so long is gone. */
const topicGoneMs = 30_000
/** Deleting takes a moment, and brokers are told of it one after the other. */
const missingMs = 1_000
/** A broker that is behind may tell of the topic before; one that says so for so long is right. */
const otherTopicMs = 1_000

interface Entry {
  readonly target: FetchTarget
  readonly failing: UnreadableStretch
  fetching: boolean
  /** What a broker has answered and is not handed over yet. */
  stretch: FetchedStretch | null
  /** When the topic was first said not to exist; null: it exists. */
  missingSinceMs: number | null
  /** When another topic was first said to have the name; null: it is the one that is meant. */
  otherSinceMs: number | null
}

/**
 * Fetches committed records of any number of partitions, with one request at a time to each broker that leads one of them.
 * Brokers that do not answer, and leaders that move, are tried again for ever: only data that is gone or damaged, and a topic
 * that is gone or another one, end a target.
 */
export class Fetcher {
  readonly #cluster: KafkaCluster
  readonly #log: Logger
  readonly #limits: FetchLimits
  readonly #missing: (topic: string) => boolean
  readonly #entries = new Map<FetchTarget, Entry>()
  readonly #busy = new Set<number>()
  readonly #resting = new Map<number, Timer>()
  /** Brokers that do not answer, and how often in a row. */
  readonly #failing = new Map<number, number>()
  #looking = false
  #nextLook: Timer | null = null
  /** Told once. */
  #withoutIds = false
  #turn = 0
  #closed = false

  /** @param missing told of a topic that does not exist; true: whoever asked for it will take its target back. */
  constructor(
    cluster: KafkaCluster,
    log: Logger,
    limits: Partial<FetchLimits> = {},
    missing: (topic: string) => boolean = () => false,
  ) {
    this.#missing = missing
    this.#cluster = cluster
    this.#log = log
    this.#limits = { ...defaultLimits, ...limits }
  }

  add(target: FetchTarget): void {
    const failing = new UnreadableStretch({
      target,
      clock: this.#cluster.clock,
      log: this.#log,
      damagedMs: this.#limits.damagedMs,
      end: (error) => {
        this.#end(target, error)
      },
    })
    const idle = { fetching: false, stretch: null, missingSinceMs: null, otherSinceMs: null }
    this.#entries.set(target, { target, failing, ...idle })
    this.wake()
  }

  remove(target: FetchTarget): void {
    this.#entries.get(target)?.stretch?.close()
    this.#entries.delete(target)
  }

  /** Called when a target may be wanted again. */
  wake(): void {
    if (this.#closed) return
    const byLeader = new Map<number, Entry[]>()
    let homeless = false
    for (const entry of this.#entries.values()) {
      if (entry.fetching || entry.stretch?.busy === true || !entry.target.wanted) continue
      if (entry.stretch !== null) {
        if (entry.stretch.begin()) void this.#goOn(entry, entry.stretch)
        continue
      }
      const leader = this.#cluster.knownLeader(entry.target.topic, entry.target.partition)
      if (leader === undefined || this.#isDoubtful(entry)) {
        homeless = true
        continue
      }
      const asked = byLeader.get(leader) ?? []
      // Several read a write-ahead log: an answer names the partition, and not who asked.
      if (!asked.some(({ target }) => isSamePlace(target, entry.target))) byLeader.set(leader, [...asked, entry])
    }
    for (const [leader, entries] of byLeader) {
      if (!this.#busy.has(leader) && !this.#resting.has(leader)) void this.#fetch(leader, entries)
    }
    if (homeless) void this.#findLeaders()
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#resting.values()) timer.cancel()
    this.#resting.clear()
    this.#nextLook?.cancel()
    for (const target of this.#entries.keys()) this.remove(target)
  }

  async #fetch(leader: number, entries: readonly Entry[]): Promise<void> {
    this.#busy.add(leader)
    // Answers are filled in the order of the request, so the first place goes around.
    this.#turn += 1
    const first = this.#turn % entries.length
    const ordered = [...entries.slice(first), ...entries.slice(0, first)]
    for (const entry of ordered) entry.fetching = true
    let rest = false
    try {
      const asked = ordered.map(({ target: { topic, topicId, partition, offset } }) => ({
        topic,
        topicId: topicId ?? this.#cluster.knownTopicId(topic),
        partition,
        offset,
      }))
      const broker = await this.#cluster.pool.broker(leader)
      if (!fetchesById(broker) || asked.some(({ topicId }) => topicId === null)) this.#tellOfNoIds(leader)
      const fetched = await requestFetch(broker, {
        ...this.#limits,
        timeoutMs: this.#cluster.connection.requestTimeoutMs,
        partitions: asked,
      })
      this.#answered(leader)
      for (const partition of fetched) {
        const entry = ordered.find(({ target }) => isSamePlace(target, partition))
        if (entry !== undefined) rest = (await this.#take(entry, partition, leader)) || rest
      }
    } catch (error) {
      rest = true
      this.#failed(leader, error, ordered)
    } finally {
      for (const entry of ordered) entry.fetching = false
      this.#busy.delete(leader)
    }
    if (rest) this.#rest(leader)
    this.wake()
  }

  /** True when the partition is to be left alone for a while. */
  async #take(entry: Entry, fetched: FetchedPartition, broker: number): Promise<boolean> {
    const { target } = entry
    const { offset } = target
    if (this.#entries.get(target) !== entry) return false
    if (fetched.error === kafkaError.offsetOutOfRange) return this.#outOfRange(entry, offset)
    if (leaderMoved.has(fetched.error)) {
      await this.#lookUp(new Set([target.topic]))
      return true
    }
    if (mayBeDamaged.has(fetched.error)) {
      return entry.failing.refused(broker, describeCode(fetched.error), { offset, next: offset + 1 })
    }
    if (fetched.error !== kafkaError.none) {
      const refusal = new BrokerRefusal(fetched.error, `Fetching ${formatPosition({ ...target, offset })}`)
      const error = asKafkaError(refusal, 'Reading the input failed')
      if (error.kind === 'unreachable') {
        entry.failing.tell(broker, describeCode(fetched.error))
        return true
      }
      this.#end(target, error)
      return false
    }
    entry.missingSinceMs = null
    const batches = new PackedBatches(
      { ...fetched, offset },
      {
        maxRecordBytes: this.#limits.maxRecordBytes,
        skips: (at) => target.skips?.(at) ?? false,
        soon: (callback) => {
          this.#cluster.clock.soon(callback)
        },
      },
    )
    if (batches.done) entry.failing.passed()
    const stretch = new FetchedStretch({ target, failing: entry.failing, batches, broker })
    entry.stretch = stretch
    const isRefused = await stretch.handOver({ atOnce: true })
    if (stretch.done) entry.stretch = null
    else if (target.wanted) void this.#goOn(entry, stretch)
    return isRefused
  }

  /** Hands over what was kept, and what takes long to unpack: no fetch waits for it. */
  async #goOn(entry: Entry, stretch: FetchedStretch): Promise<void> {
    const isRefused = await stretch.handOver({ atOnce: false })
    if (stretch.done && entry.stretch === stretch) entry.stretch = null
    if (isRefused) this.#rest(stretch.broker)
    // Also then: another one may have waited until this one was done.
    this.wake()
  }

  /** Another topic seems to have the name: nothing is fetched by the name until that is known. */
  #isDoubtful({ target }: Entry): boolean {
    const known = this.#cluster.knownTopicId(target.topic)
    const meant = target.topicId ?? null
    return meant !== null && known !== null && known !== meant
  }

  #tellOfNoIds(broker: number): void {
    if (this.#withoutIds) return
    this.#withoutIds = true
    this.#log.warn(
      'A Kafka broker knows topics by their names only (before 3.1, or all-zero ids): an input topic that is deleted and made anew is then noticed only when it is shorter than what has been read',
      { broker },
    )
  }

  /** A new leader may be behind for a moment; only what its own range confirms is gone. */
  async #outOfRange({ target }: Entry, offset: number): Promise<boolean> {
    const { topic, partition } = target
    try {
      const range = await readRange(this.#cluster, topic, partition)
      if (offset < range.start || offset > range.end)
        this.#end(target, offsetRemoved({ topic, partition, offset }, range))
    } catch {
      // Nobody answers: it is asked again with the next fetch.
    }
    return true
  }

  /** Learns the leaders of topics; those that have been missing for long end their targets. */
  async #lookUp(names: ReadonlySet<string>): Promise<void> {
    const { topics } = await this.#cluster.metadata([...names])
    const missing = new Set(
      topics.filter(({ error }) => error === kafkaError.unknownTopicOrPartition).map(({ topic }) => topic),
    )
    const now = this.#cluster.clock.monotonicMs()
    for (const entry of this.#entries.values()) {
      const { target } = entry
      if (!names.has(target.topic)) continue
      entry.missingSinceMs = missing.has(target.topic) ? (entry.missingSinceMs ?? now) : null
      entry.otherSinceMs = this.#isDoubtful(entry) ? (entry.otherSinceMs ?? now) : null
      if (entry.otherSinceMs !== null && now - entry.otherSinceMs >= otherTopicMs)
        this.#end(
          target,
          topicRecreated(target.topic, target.topicId ?? null, this.#cluster.knownTopicId(target.topic)),
        )
      else if (entry.missingSinceMs !== null && now - entry.missingSinceMs >= missingMs) {
        const isTakenBack = this.#missing(target.topic)
        if (!isTakenBack && now - entry.missingSinceMs >= topicGoneMs) this.#end(target, unknownInKafka(target.topic))
      }
    }
  }

  #end(target: FetchTarget, error: TidemarkError): void {
    if (!this.#entries.has(target)) return
    this.remove(target)
    target.fail(error)
  }

  async #findLeaders(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      const names = new Set<string>()
      for (const entry of this.#entries.values()) {
        const { topic, partition } = entry.target
        if (this.#cluster.knownLeader(topic, partition) === undefined || this.#isDoubtful(entry)) names.add(topic)
      }
      await this.#lookUp(names)
      this.#answered(nobody)
    } catch (error) {
      this.#failed(nobody, error, [])
    }
    if (this.#closed) return
    this.#nextLook = this.#cluster.clock.after(this.#retryMs(nobody), () => {
      this.#looking = false
      this.wake()
    })
  }

  /** Tells once that a broker does not answer, and then that it does. */
  #failed(broker: number, failure: unknown, entries: readonly Entry[]): void {
    if (this.#closed) return
    const failures = (this.#failing.get(broker) ?? 0) + 1
    this.#failing.set(broker, failures)
    if (failures === 1) {
      const what =
        'A Kafka broker does not answer; reading goes on when it does, or when another one leads its partitions'
      this.#log.warn(what, { broker, error: failure })
    }
    for (const topic of new Set(entries.map(({ target }) => target.topic))) {
      this.#cluster.refreshLeaders(topic).catch(() => undefined)
    }
  }

  #answered(broker: number): void {
    if (this.#failing.delete(broker)) this.#log.info('The Kafka broker answers again', { broker })
  }

  #retryMs(broker: number): number {
    return delayAfter(retries, 1 + (this.#failing.get(broker) ?? 0))
  }

  #rest(leader: number): void {
    if (this.#closed) return
    const timer = this.#cluster.clock.after(this.#retryMs(leader), () => {
      this.#resting.delete(leader)
      this.wake()
    })
    this.#resting.set(leader, timer)
  }
}

function isSamePlace(some: Pick<FetchTarget, 'topic' | 'partition'>, other: typeof some): boolean {
  return some.topic === other.topic && some.partition === other.partition
}
