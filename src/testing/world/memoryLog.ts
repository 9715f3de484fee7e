import { encodeCommitMetadata } from '../../core/commitMetadata.ts'
import { decodeControlRecord, encodeControlRecord, type ControlRecord } from '../../core/controlRecord.ts'
import { TidemarkError } from '../../core/errors.ts'
import { offsetOf } from '../../core/offsetPosition.ts'
import type { OutputRecord } from '../../core/record.ts'
import type { Positions } from '../../core/ports/position.ts'
import type { CommitMetadata } from '../../core/ports/task.ts'
import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import { MarkersUnderWay, type MarkerTimes } from './markersUnderWay.ts'
import { MemoryTopic, type MemoryPartition, type MemoryTopicOptions, type PlacedRecord } from './memoryTopic.ts'

/** What one commit makes visible, all together. */
export interface MemoryCommit {
  readonly outputs: readonly PlacedRecord[]
  readonly changelog: readonly ChangelogEntry[]
  readonly positions: Positions
  readonly metadata: CommitMetadata
}

/** What a group has committed of one partition. */
export interface MemoryOffset {
  readonly offset: number
  readonly metadata: string
  /** Of the topic that it is of. */
  readonly topicId?: string
}

/** Which task something belongs to, as the log sees it. */
export interface MemoryTaskIdentity {
  readonly groupId: string
  readonly partition: number
  /** What fencing is about: one id per task of a job. */
  readonly transactionalId: string
  /** The same under another prefix; absent where there never was one. */
  readonly transactionalIdUnder?: (prefix: string) => string
  readonly changelog: string
  /** Of a job with followers. */
  readonly writeAheadLog?: string
}

/** A commit that was made, for tests to look at. */
export interface CommitSummary {
  readonly partition: number
  readonly epoch: number
  readonly nonce: string
  /** Offsets by topic. */
  readonly positions: ReadonlyMap<string, number>
  /** Outputs by topic. */
  readonly outputs: Readonly<Record<string, number>>
}

/** What a commit was about, told as it happens. */
export interface ObservedCommit extends MemoryCommit {
  readonly task: MemoryTaskIdentity
  /** Committed offsets of the task's inputs before it. */
  readonly before: ReadonlyMap<string, MemoryOffset>
  /** Of the topics that it has read. */
  readonly topicIds: ReadonlyMap<string, string>
}

export interface MemoryLogOptions extends MemoryTopicOptions {
  /**
   * `whole` (default): what is not committed does not exist, as in the embedded world. `open`: records are appended before
   * their commit, as on a broker: readers stop before the first one that is undecided, and aborted ones leave gaps.
   */
  readonly transactions?: 'whole' | 'open'
  /**
   * With open transactions: when the end of one is seen, in each partition at another time and in the committed offsets at
   * yet another, as on brokers. Default: everywhere at once.
   */
  readonly markers?: MarkerTimes
  /** Told of every commit before it takes effect. */
  readonly onCommit?: (commit: ObservedCommit) => void
}

/**
 * The log in memory: topics, committed offsets, changelogs and fences. It is the world outside of the processes: it stays
 * when one of them dies.
 */
export class MemoryLog {
  readonly openTransactions: boolean
  readonly #defaults: MemoryLogOptions
  readonly #topics: Map<string, MemoryTopic> = new Map<string, MemoryTopic>()
  readonly #changelogs: Map<string, MemoryTopic> = new Map<string, MemoryTopic>()
  readonly #writeAheadLogs: Map<string, MemoryTopic> = new Map<string, MemoryTopic>()
  readonly #offsets: Map<string, MemoryOffset> = new Map<string, MemoryOffset>()
  readonly #controls: Map<string, Buffer> = new Map<string, Buffer>()
  readonly #tokens: Map<string, number> = new Map<string, number>()
  readonly #commits: CommitSummary[] = []
  /** Partitions of deleted topics, whose readers want to know when the name is another topic's. */
  readonly #removed: Map<string, readonly MemoryPartition[]> = new Map<string, readonly MemoryPartition[]>()
  #topicsMade = 0
  /** Undecided transactions by transactional id. */
  readonly #open: Map<string, OpenTransaction> = new Map<string, OpenTransaction>()
  readonly #markers: MarkersUnderWay | null
  #transactions = 0

  /** @param options also for topics that are made on first use. */
  constructor(options: MemoryLogOptions = {}) {
    this.#defaults = options
    this.openTransactions = options.transactions === 'open'
    this.#markers = options.markers === undefined ? null : new MarkersUnderWay(options.markers)
  }

  /** Makes a topic, or returns the one that is there. */
  ensureTopic(name: string, options: MemoryTopicOptions = {}): MemoryTopic {
    const existing = this.#topics.get(name) ?? this.#writeAheadLogs.get(name)
    if (existing !== undefined) return existing
    this.#topicsMade += 1
    const topic = new MemoryTopic(name, { ...this.#defaults, ...options }, `topic-${String(this.#topicsMade)}`)
    this.#topics.set(name, topic)
    for (const partition of this.#removed.get(name) ?? []) partition.announce()
    return topic
  }

  /** Deletes a topic with its records and, as brokers do, with what groups have committed of it. */
  deleteTopic(name: string): void {
    const { partitions } = this.topic(name)
    this.#topics.delete(name)
    this.#removed.set(name, partitions)
    for (const key of this.#offsets.keys()) if ((JSON.parse(key) as unknown[])[1] === name) this.#offsets.delete(key)
    for (const partition of partitions) {
      partition.removed = true
      partition.announce()
    }
  }

  /** Id of the topic that has a name now; null: there is none. */
  topicId(name: string): string | null {
    return this.#topics.get(name)?.id ?? null
  }

  /** @throws `unknown-topic`. */
  topic(name: string): MemoryTopic {
    const topic = this.#topics.get(name)
    if (topic !== undefined) return topic
    const known = [...this.#topics.keys()].sort().join(', ')
    throw new TidemarkError(
      'unknown-topic',
      `Topic ${name} does not exist; there are: ${known === '' ? 'none' : known}.`,
      {
        details: { topic: name },
      },
    )
  }

  get topicNames(): readonly string[] {
    return [...this.#topics.keys()]
  }

  /** Appends from outside any job; topics are made on first use. */
  append(records: readonly OutputRecord[]): void {
    this.#store(records.map((record) => this.ensureTopic(record.topic).place(record)))
  }

  /** Every commit so far, in order. */
  get commits(): readonly CommitSummary[] {
    return this.#commits
  }

  committed(
    { groupId, partition }: Pick<MemoryTaskIdentity, 'groupId' | 'partition'>,
    topic: string,
  ): MemoryOffset | undefined {
    return this.#offsets.get(JSON.stringify([groupId, topic, partition]))
  }

  /** All that a group has committed, with the task it is of. */
  groupOffsets(groupId: string): readonly { readonly task: number; readonly metadata: string }[] {
    return [...this.#offsets].flatMap(([key, { metadata }]) => {
      const [group, , task] = JSON.parse(key) as [string, string, number]
      return group === groupId ? [{ task, metadata }] : []
    })
  }

  /** Sets a group's offset by hand, as other tools do; null forgets it. */
  setOffset(groupId: string, topic: string, partition: number, offset: MemoryOffset | null): void {
    const key = JSON.stringify([groupId, topic, partition])
    if (offset === null) this.#offsets.delete(key)
    else this.#offsets.set(key, offset)
  }

  /** A job's control record; null: there never was a reset. */
  control(job: string): ControlRecord | null {
    const stored = this.#controls.get(job)
    return stored === undefined ? null : decodeControlRecord(stored, `the memory log of job ${job}`)
  }

  /** @throws `commit-failed` for a token that is not the last one given out. */
  setControl(
    job: string,
    owner: Pick<MemoryTaskIdentity, 'transactionalId'>,
    token: number,
    record: ControlRecord,
  ): void {
    this.checkToken(owner, token)
    this.#controls.set(job, encodeControlRecord(record))
  }

  /** Transactional ids that were ever fenced. */
  get transactionalIds(): readonly string[] {
    return [...this.#tokens.keys()]
  }

  /** All changelogs, one per source group. */
  get changelogs(): readonly MemoryTopic[] {
    return [...this.#changelogs.values()]
  }

  /**
   * Acts when the last transaction of an id has ended, which is now unless its markers are under way: until then a broker
   * neither begins another one nor lets anybody take the id over.
   */
  afterEnd<T>(
    { transactionalId }: Pick<MemoryTaskIdentity, 'transactionalId'>,
    act: () => T | Promise<T>,
  ): T | Promise<T> {
    const ended = this.#markers?.ended(transactionalId) ?? null
    return ended === null ? act() : ended.then(() => this.afterEnd({ transactionalId }, act))
  }

  /** Acts when no committed offset of a task is pending, as a reader who requires stable ones does. */
  whenStable<T>(task: MemoryTaskIdentity, act: () => T): T | Promise<T> {
    const stable = this.#markers?.ended(offsetsOf(task)) ?? null
    return stable === null ? act() : stable.then(() => this.whenStable(task, act))
  }

  /** All markers that are under way arrive now. */
  settle(): void {
    this.#markers?.settle()
  }

  /** Takes a task over, aborting what it had open; returns the token that commits need until the next one does. */
  fence({ transactionalId }: Pick<MemoryTaskIdentity, 'transactionalId'>): number {
    const token = (this.#tokens.get(transactionalId) ?? 0) + 1
    this.#tokens.set(transactionalId, token)
    this.#resolve(transactionalId, 'abort')
    return token
  }

  /** @throws `commit-failed` for a token that is not the last one given out. */
  checkToken({ transactionalId }: Pick<MemoryTaskIdentity, 'transactionalId'>, token: number): void {
    if (this.#tokens.get(transactionalId) === token) return
    throw new TidemarkError('commit-failed', `Another owner has taken ${transactionalId} over; this one is fenced.`, {
      retriable: true,
      details: { transactionalId, fenced: true },
    })
  }

  /** Makes a changelog, or lets it grow; apart from the topics, so that no pattern of a job matches it. */
  ensureChangelog(name: string, partitions: number): void {
    const known = this.#changelogs.get(name)
    if (known === undefined) this.#changelogs.set(name, new MemoryTopic(name, { partitions }))
    else known.grow(partitions)
  }

  /** Makes the write-ahead logs of a group, or lets them grow; apart from the topics as well. */
  ensureWriteAheadLog(name: string, partitions: number): void {
    const known = this.#writeAheadLogs.get(name)
    if (known === undefined) {
      this.#writeAheadLogs.set(name, new MemoryTopic(name, { partitions, maxRecordBytes: 2 * 1024 * 1024 }))
    } else known.grow(partitions)
  }

  isWriteAheadLog(name: string): boolean {
    return this.#writeAheadLogs.has(name)
  }

  /** @throws `broken-invariant` for a task of a job without followers. */
  writeAheadLog({ writeAheadLog, partition }: MemoryTaskIdentity): MemoryPartition {
    const topic = this.#writeAheadLogs.get(writeAheadLog ?? '')
    if (topic !== undefined) return topic.partition(partition)
    throw new TidemarkError('broken-invariant', 'The job has no followers, and so no write-ahead log.')
  }

  /** 0 where there is none. */
  changelogPartitions(name: string): number {
    return this.#changelogs.get(name)?.partitions.length ?? 0
  }

  /** @throws `broken-invariant` for a task of a group that nobody has opened. */
  changelog({ changelog }: MemoryTaskIdentity): MemoryTopic {
    const topic = this.#changelogs.get(changelog)
    if (topic !== undefined) return topic
    throw new TidemarkError('broken-invariant', `Changelog ${changelog} does not exist.`)
  }

  /** Appends records of an open transaction, and returns the end of the changelog behind them. */
  produce(
    task: MemoryTaskIdentity,
    token: number,
    outputs: readonly PlacedRecord[],
    changelog: readonly ChangelogEntry[],
  ): number {
    this.checkToken(task, token)
    const entries = this.#entries(task, changelog)
    for (const { topic, partition, record } of [...outputs, ...entries]) {
      const log = topic.partition(partition)
      const { name, touched } = this.#transaction(task.transactionalId)
      log.append(record, name)
      touched.add(log)
    }
    return this.changelog(task).partition(task.partition).highWatermark
  }

  /** Gives an open transaction up; a fenced owner's was given up by the fence. */
  abort({ transactionalId }: MemoryTaskIdentity, token: number): void {
    if (this.#tokens.get(transactionalId) === token) this.#resolve(transactionalId, 'abort')
  }

  /**
   * Commits, in one step that nothing can interrupt. With open transactions, what was produced before becomes visible and
   * `outputs` and `changelog` only say what that is.
   *
   * @throws `commit-failed` for a token that is not the last one given out, and for a position of a topic that is gone.
   */
  commit(
    task: MemoryTaskIdentity,
    token: number,
    commit: MemoryCommit,
    topicIds: ReadonlyMap<string, string> = new Map(),
  ): void {
    this.checkToken(task, token)
    const { outputs, changelog, positions, metadata } = commit
    for (const topic of positions.keys()) if (!this.#topics.has(topic)) throw offsetRefused(topic)
    this.#observe(task, commit, topicIds)
    const text = encodeCommitMetadata(metadata)
    const offsets = new Map([...positions].map(([topic, position]) => [topic, offsetOf(position)]))
    for (const [topic, offset] of offsets) {
      const topicId = topicIds.get(topic)
      this.setOffset(task.groupId, topic, task.partition, {
        offset,
        metadata: text,
        ...(topicId === undefined ? {} : { topicId }),
      })
    }
    const counts: Record<string, number> = {}
    for (const { topic } of outputs) counts[topic.name] = (counts[topic.name] ?? 0) + 1
    const { epoch, nonce } = metadata
    this.#commits.push({ partition: task.partition, epoch, nonce, positions: offsets, outputs: counts })
    if (this.openTransactions) {
      this.#markers?.offsets(offsetsOf(task))
      this.#resolve(task.transactionalId, 'commit')
    } else this.#store([...outputs, ...this.#entries(task, changelog)])
  }

  /** Appends outside any transaction: what a sink that is not exactly-once does. */
  sendNow(record: PlacedRecord): void {
    this.#store([record])
  }

  #observe(task: MemoryTaskIdentity, commit: MemoryCommit, topicIds: ReadonlyMap<string, string>): void {
    const { onCommit } = this.#defaults
    if (onCommit === undefined) return
    const before = new Map<string, MemoryOffset>()
    for (const topic of commit.positions.keys()) {
      const offset = this.committed(task, topic)
      if (offset !== undefined) before.set(topic, offset)
    }
    onCommit({ ...commit, task, before, topicIds })
  }

  #entries(task: MemoryTaskIdentity, changelog: readonly ChangelogEntry[]): PlacedRecord[] {
    return changelog.map(({ key, value }) => ({
      topic: this.changelog(task),
      partition: task.partition,
      record: { topic: task.changelog, partition: task.partition, key, value, headers: [], timestamp: 0 },
    }))
  }

  #transaction(transactionalId: string): OpenTransaction {
    const open = this.#open.get(transactionalId)
    if (open !== undefined) return open
    this.#transactions += 1
    const fresh = { name: `${transactionalId} ${String(this.#transactions)}`, touched: new Set<MemoryPartition>() }
    this.#open.set(transactionalId, fresh)
    return fresh
  }

  #resolve(transactionalId: string, outcome: 'commit' | 'abort'): void {
    const open = this.#open.get(transactionalId)
    if (open === undefined) return
    this.#open.delete(transactionalId)
    for (const partition of open.touched) partition.mark(open.name, outcome)
    const show = (partitions: Iterable<MemoryPartition>): void => {
      for (const partition of partitions) partition.show(open.name)
      for (const partition of partitions) partition.announce()
    }
    if (this.#markers === null) show(open.touched)
    else this.#markers.write(transactionalId, open.touched, show)
  }

  #store(records: readonly PlacedRecord[]): void {
    const touched = new Set(records.map(({ topic, partition }) => topic.partition(partition)))
    for (const { topic, partition, record } of records) topic.partition(partition).append(record)
    for (const partition of touched) partition.announce()
  }
}

interface OpenTransaction {
  /** Of this one transaction; the next one of the id has another. */
  readonly name: string
  /** Partitions that hold records of it. */
  readonly touched: Set<MemoryPartition>
}

/** As a broker answers; whoever has sent it fences, and reads what is committed. */
function offsetRefused(topic: string): TidemarkError {
  return new TidemarkError('commit-failed', `The offset of topic ${topic} is refused: it does not exist.`, {
    retriable: true,
    details: { topic },
  })
}

function offsetsOf({ groupId, partition }: MemoryTaskIdentity): string {
  return JSON.stringify([groupId, partition])
}
