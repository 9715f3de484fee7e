import type { Timer } from '../../core/clock.ts'
import { dataRemoved } from '../../core/dataRemoved.ts'
import { TidemarkError, asTidemarkError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { topicRecreated } from '../../core/topicRecreated.ts'
import { formatPosition, type StreamRecord } from '../../core/record.ts'
import type { KafkaCluster } from './kafkaCluster.ts'
import { BrokerRefusal, asKafkaError } from './kafkaErrors.ts'
import { readRange } from './partitionOffsets.ts'
import { describeCode, kafkaError, leaderMoved, unreadable } from './protocol/errorCodes.ts'
import { fetchesById, requestFetch, type FetchedPartition } from './protocol/fetch.ts'
import { decodeBatches } from './protocol/recordBatches.ts'
import { unknownTopic } from './topicDirectory.ts'

/** A partition that is being read. */
export interface FetchTarget {
  readonly topic: string
  /** The topic that is meant; null or absent: whichever has the name, or no broker tells ids. */
  readonly topicId?: string | null
  readonly partition: number
  /** Next offset to fetch; moved by `accept`. */
  readonly offset: number
  /** False while its queue is full, or when it has all it wants. */
  readonly wanted: boolean
  /**
   * Takes what was fetched, in order; `next` is where to go on, and may lie behind a gap or a marker. `leaderEpoch` is that of
   * the last batch, null where there was none.
   */
  accept(records: readonly StreamRecord[], next: number, leaderEpoch: number | null): void
  /** Reading has failed for good. */
  fail(error: TidemarkError): void
}

export interface FetchLimits {
  /** A batch that is damaged, or that its broker cannot read, is asked for again for so long. */
  readonly damagedMs: number
  /** How long the broker holds a fetch that finds nothing. A partition that is wanted again waits for that as well. */
  readonly maxWaitMs: number
  /** Of one answer. */
  readonly maxBytes: number
  readonly maxPartitionBytes: number
}

const defaultLimits: FetchLimits = {
  damagedMs: 120_000,
  maxWaitMs: 250,
  maxBytes: 8 * 1024 * 1024,
  maxPartitionBytes: 1024 * 1024,
}

const firstRetryMs = 50
const maxRetryMs = 1000
/** Stands for whichever broker is asked for the leaders. */
const nobody = -1
/** A topic that does not exist for so long is gone. */
const topicGoneMs = 30_000
/** Deleting takes a moment, and brokers are told of it one after the other. */
const missingMs = 1_000
/** A broker that is behind may tell of the topic before; one that says so for so long is right. */
const otherTopicMs = 1_000

/** Why a partition is asked for again and again. */
interface Refused {
  readonly sinceMs: number
  tries: number
}

interface Entry {
  readonly target: FetchTarget
  fetching: boolean
  /** When the topic was first said not to exist; null: it exists. */
  missingSinceMs: number | null
  /** When another topic was first said to have the name; null: it is the one that is meant. */
  otherSinceMs: number | null
  refused: Refused | null
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
  /** Brokers that do not answer, with the time until they are asked again. */
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
    this.#entries.set(target, { target, fetching: false, missingSinceMs: null, otherSinceMs: null, refused: null })
    this.wake()
  }

  remove(target: FetchTarget): void {
    this.#entries.delete(target)
  }

  /** Called when a target may be wanted again. */
  wake(): void {
    if (this.#closed) return
    const byLeader = new Map<number, Entry[]>()
    let homeless = false
    for (const entry of this.#entries.values()) {
      if (entry.fetching || !entry.target.wanted) continue
      const leader = this.#cluster.knownLeader(entry.target.topic, entry.target.partition)
      if (leader === undefined || this.#isDoubtful(entry)) homeless = true
      else byLeader.set(leader, [...(byLeader.get(leader) ?? []), entry])
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
    this.#entries.clear()
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
        const entry = ordered.find(
          ({ target }) => target.topic === partition.topic && target.partition === partition.partition,
        )
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
    else this.wake()
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
    if (unreadable.has(fetched.error)) return this.#isRefused(entry, broker, describeCode(fetched.error))
    if (fetched.error !== kafkaError.none) {
      const refusal = new BrokerRefusal(fetched.error, `Fetching ${formatPosition({ ...target, offset })}`)
      const error = asKafkaError(refusal, 'Reading the input failed')
      if (error.kind === 'unreachable') {
        this.#tellOnce(entry, broker, describeCode(fetched.error))
        return true
      }
      this.#end(target, error)
      return false
    }
    entry.missingSinceMs = null
    try {
      const { records, next, leaderEpoch } = await decodeBatches({ ...fetched, offset })
      this.#isRead(entry)
      if (this.#entries.get(target) === entry) target.accept(records, next, leaderEpoch)
    } catch (error) {
      // The bytes may have been damaged on their way: the same stretch is fetched again.
      if (error instanceof TidemarkError && error.code === 'damaged-batch')
        return this.#isRefused(entry, broker, error.message)
      this.#end(
        target,
        asTidemarkError(error, 'broken-invariant', `Reading ${formatPosition({ ...target, offset })} failed`),
      )
    }
    return false
  }

  /** True when the partition is to be asked for again; it ends its target when that has gone on for long. */
  #isRefused(entry: Entry, broker: number, reason: string): boolean {
    const { target } = entry
    const refused = this.#tellOnce(entry, broker, reason)
    const forMs = this.#cluster.clock.monotonicMs() - refused.sinceMs
    if (forMs < this.#limits.damagedMs) return true
    this.#end(target, damagedBatch(target, broker, { reason, forMs, tries: refused.tries }))
    return false
  }

  #tellOnce(entry: Entry, broker: number, reason: string): Refused {
    const { topic, partition, offset } = entry.target
    if (entry.refused === null) {
      entry.refused = { sinceMs: this.#cluster.clock.monotonicMs(), tries: 0 }
      this.#log.warn('A broker cannot give the next records of a partition; they are asked for again', {
        topic,
        partition,
        offset,
        broker,
        reason,
      })
    }
    entry.refused.tries += 1
    return entry.refused
  }

  #isRead(entry: Entry): void {
    if (entry.refused === null) return
    const { topic, partition } = entry.target
    this.#log.info('The partition can be read again', { topic, partition, tries: entry.refused.tries })
    entry.refused = null
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
        this.#end(target, dataRemoved({ topic, partition, offset }, range))
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
        if (!isTakenBack && now - entry.missingSinceMs >= topicGoneMs) this.#end(target, unknownTopic(target.topic))
      }
    }
  }

  #end(target: FetchTarget, error: TidemarkError): void {
    if (this.#entries.delete(target)) target.fail(error)
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
    const before = this.#failing.get(broker)
    this.#failing.set(broker, Math.min(maxRetryMs, (before ?? firstRetryMs) * 2))
    if (before === undefined) {
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
    return this.#failing.get(broker) ?? firstRetryMs
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

function damagedBatch(
  { topic, partition, offset }: FetchTarget,
  broker: number,
  { reason, forMs, tries }: { readonly reason: string; readonly forMs: number; readonly tries: number },
): TidemarkError {
  const seconds = String(Math.round(forMs / 1000))
  return new TidemarkError(
    'damaged-batch',
    `Broker ${String(broker)} cannot give the record at ${formatPosition({ topic, partition, offset })}, asked ${String(tries)} times in ${seconds} s: ${reason}. Look at that broker's log and disk, or let a replica lead the partition; what cannot be repaired is passed with --reset-offsets offsets:${String(partition)}=<offset behind it>`,
    { details: { topic, partition, offset, broker, tries } },
  )
}
