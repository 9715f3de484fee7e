import type { Timer } from '../../core/clock.ts'
import { TidemarkError, asTidemarkError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { formatPosition, type StreamRecord } from '../../core/record.ts'
import type { KafkaCluster } from './kafkaCluster.ts'
import { BrokerRefusal, asKafkaError } from './kafkaErrors.ts'
import { readRange } from './partitionOffsets.ts'
import { kafkaError, leaderMoved } from './protocol/errorCodes.ts'
import { requestFetch, type FetchedPartition } from './protocol/fetch.ts'
import { decodeBatches } from './protocol/recordBatches.ts'
import { unknownTopic } from './topicDirectory.ts'

/** A partition that is being read. */
export interface FetchTarget {
  readonly topic: string
  readonly partition: number
  /** Next offset to fetch; moved by `accept`. */
  readonly offset: number
  /** False while its queue is full, or when it has all it wants. */
  readonly wanted: boolean
  /** Takes what was fetched, in order; `next` is where to go on, and may lie behind a gap or a marker. */
  accept(records: readonly StreamRecord[], next: number): void
  /** Reading has failed for good. */
  fail(error: TidemarkError): void
}

export interface FetchLimits {
  /** How long the broker holds a fetch that finds nothing. A partition that is wanted again waits for that as well. */
  readonly maxWaitMs: number
  /** Of one answer. */
  readonly maxBytes: number
  readonly maxPartitionBytes: number
}

const defaultLimits: FetchLimits = { maxWaitMs: 250, maxBytes: 8 * 1024 * 1024, maxPartitionBytes: 1024 * 1024 }

const firstRetryMs = 50
const maxRetryMs = 1000
/** Stands for whichever broker is asked for the leaders. */
const nobody = -1
/** A topic that does not exist for so long is gone. */
const topicGoneMs = 30_000

interface Entry {
  readonly target: FetchTarget
  fetching: boolean
  /** When the topic was first said not to exist; null: it exists. */
  missingSinceMs: number | null
}

/**
 * Fetches committed records of any number of partitions, with one request at a time to each broker that leads one of them.
 * Brokers that do not answer, and leaders that move, are tried again for ever: only data that is gone ends a target.
 */
export class Fetcher {
  readonly #cluster: KafkaCluster
  readonly #log: Logger
  readonly #limits: FetchLimits
  readonly #entries = new Map<FetchTarget, Entry>()
  readonly #busy = new Set<number>()
  readonly #resting = new Map<number, Timer>()
  /** Brokers that do not answer, with the time until they are asked again. */
  readonly #failing = new Map<number, number>()
  #looking = false
  #nextLook: Timer | null = null
  #turn = 0
  #closed = false

  constructor(cluster: KafkaCluster, log: Logger, limits: Partial<FetchLimits> = {}) {
    this.#cluster = cluster
    this.#log = log
    this.#limits = { ...defaultLimits, ...limits }
  }

  add(target: FetchTarget): void {
    this.#entries.set(target, { target, fetching: false, missingSinceMs: null })
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
      if (leader === undefined) homeless = true
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
      const asked = ordered.map(({ target: { topic, partition, offset } }) => ({ topic, partition, offset }))
      const broker = await this.#cluster.pool.broker(leader)
      const fetched = await requestFetch(broker, { ...this.#limits, partitions: asked })
      this.#answered(leader)
      for (const partition of fetched) {
        const entry = ordered.find(
          ({ target }) => target.topic === partition.topic && target.partition === partition.partition,
        )
        if (entry !== undefined) rest = (await this.#take(entry, partition)) || rest
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
  async #take(entry: Entry, fetched: FetchedPartition): Promise<boolean> {
    const { target } = entry
    const { offset } = target
    if (this.#entries.get(target) !== entry) return false
    if (fetched.error === kafkaError.offsetOutOfRange) return this.#outOfRange(entry, offset)
    if (leaderMoved.has(fetched.error)) {
      await this.#lookUp(new Set([target.topic]))
      return true
    }
    if (fetched.error !== kafkaError.none) {
      const refusal = new BrokerRefusal(fetched.error, `Fetching ${formatPosition({ ...target, offset })}`)
      const error = asKafkaError(refusal, 'Reading the input failed')
      if (error.kind === 'unreachable') return true
      this.#end(target, error)
      return false
    }
    entry.missingSinceMs = null
    try {
      const { records, next } = await decodeBatches({ ...fetched, offset })
      if (this.#entries.get(target) === entry) target.accept(records, next)
    } catch (error) {
      this.#end(
        target,
        asTidemarkError(error, 'broken-invariant', `Reading ${formatPosition({ ...target, offset })} failed`),
      )
    }
    return false
  }

  /** A new leader may be behind for a moment; only what its own range confirms is gone. */
  async #outOfRange({ target }: Entry, offset: number): Promise<boolean> {
    const { topic, partition } = target
    try {
      const { start, end } = await readRange(this.#cluster, topic, partition)
      if (offset < start || offset > end) this.#end(target, dataRemoved({ topic, partition, offset }, start, end))
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
      if (!missing.has(target.topic)) entry.missingSinceMs = null
      else entry.missingSinceMs ??= now
      if (entry.missingSinceMs !== null && now - entry.missingSinceMs >= topicGoneMs)
        this.#end(target, unknownTopic(target.topic))
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
      for (const { target } of this.#entries.values()) {
        if (this.#cluster.knownLeader(target.topic, target.partition) === undefined) names.add(target.topic)
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

function dataRemoved(
  position: { topic: string; partition: number; offset: number },
  start: number,
  end: number,
): TidemarkError {
  const { topic, partition, offset } = position
  const reason =
    offset < start ? 'retention removed records before they were read' : 'the topic was replaced or truncated'
  return new TidemarkError(
    'data-removed',
    `The next record to read is ${formatPosition(position)}, and the topic now holds ${String(start)} to ${String(end)}: ${reason}. Accept the loss with --reset-offsets earliest, and give the topic a longer retention`,
    { details: { topic, partition, offset, start, end } },
  )
}
