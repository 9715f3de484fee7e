import { selects, type TopicSelection } from '../../core/topicSelection.ts'
import type { OutputRecord } from '../../core/record.ts'
import type { MemoryLog } from '../world/memoryLog.ts'
import type { Fault, FaultKind } from './faults.ts'
import { withPosition, againPosition, againTopic, type Arrival, type SimulatedInputs } from './inputs.ts'

/** A fault that is an event in the life of a topic. */
export type LifeFault = Extract<FaultKind, `topic ${string}`>

/**
 * The topics that may come, grow and go: those that only a pattern chooses, the one with most partitions first.
 */
export function changingTopics({ ends }: SimulatedInputs, selections: readonly TopicSelection[]): readonly string[] {
  const byPattern = [...ends].filter(
    ([name]) =>
      selections.some((selection) => selection.kind === 'pattern' && selects(selection, name)) &&
      !selections.some((selection) => selection.kind === 'topics' && selects(selection, name)),
  )
  return byPattern.toSorted(([, a], [, b]) => b.length - a.length).map(([name]) => name)
}

/** What is to happen to a topic, and what has happened. */
interface TopicLife {
  readonly name: string
  readonly partitions: number
  /** Fewer than `partitions`: it has yet to grow. */
  shown: number
  stage: 'to come' | 'first' | 'gone' | 'again'
  /** It goes as soon as all its records are committed; `returns` then. */
  leaving: boolean
  returns: boolean
  /** Records of partitions that it does not have yet. */
  readonly held: OutputRecord[]
}

export interface TopicLivesOptions {
  readonly inputs: SimulatedInputs
  readonly changing: readonly string[]
  readonly faults: readonly Fault[]
  readonly log: MemoryLog
  /** Whether a process that lives may still read a topic. */
  holds(topic: string): boolean
  /** Told of what happens. */
  happened(event: string): void
}

/**
 * The input topics of a simulated world: each comes, grows, goes and comes back as the history says, and in the end a world
 * has given the job the same records, whatever has happened to their topics. What is written to a topic waits until it is
 * there; one is deleted when all its records are committed; and what came back has the same records once more, whose
 * positions have names of their own.
 */
export class TopicLives {
  readonly #options: TopicLivesOptions
  readonly #lives: Map<string, TopicLife> = new Map<string, TopicLife>()

  constructor(options: TopicLivesOptions) {
    this.#options = options
    for (const [name, { length: partitions }] of options.inputs.ends) {
      this.#lives.set(name, {
        name,
        partitions,
        shown: partitions,
        stage: 'first',
        leaving: false,
        returns: false,
        held: [],
      })
    }
    for (const { kind, nth } of options.faults) {
      const life = kind === 'topic appears' || kind === 'topic grows' ? this.#subject(kind, nth) : null
      if (life === null) continue
      if (kind === 'topic appears') life.stage = 'to come'
      else if (life.partitions > 1) life.shown = life.partitions - 1
    }
  }

  /** Topics that are there from the beginning. */
  begin(): void {
    for (const { name, stage, shown } of this.#lives.values()) {
      if (stage === 'first') this.#options.log.ensureTopic(name, { partitions: shown })
    }
  }

  write(arrivals: readonly Arrival[]): void {
    const records: OutputRecord[] = []
    for (const { record } of arrivals) {
      const life = this.#lives.get(record.topic)
      if (life === undefined || (life.stage !== 'to come' && (record.partition ?? 0) < life.shown)) records.push(record)
      else life.held.push(record)
    }
    this.#options.log.append(records)
  }

  strike(kind: LifeFault, nth: number): void {
    const life = this.#subject(kind, nth)
    if (life === null) return
    if (kind === 'topic appears') this.#appear(life)
    else if (kind === 'topic grows') this.#grow(life)
    else if (life.stage === 'to come' || life.stage === 'first') {
      // The first that strikes a topic decides whether it comes back.
      if (!life.leaving) life.returns = kind === 'topic comes back'
      life.leaving = true
    }
  }

  /** What had waited for something else may happen now. */
  goOn(groupId: string): void {
    for (const life of this.#lives.values()) {
      if (life.stage === 'first' && life.leaving && this.#uncommitted(life, groupId) === null) this.#go(life, groupId)
      // One that is made anew while somebody reads the old one stops the job, by right.
      if (life.stage === 'gone' && life.returns && !this.#options.holds(life.name)) this.#comeBack(life)
    }
  }

  /** What nobody has met by then happens when all else is done. */
  hurry(groupId: string): void {
    const others = [...this.#lives.values()].filter(
      ({ stage, shown, partitions }) => stage !== 'to come' && shown === partitions,
    )
    if (others.some((life) => this.#unfinished(life, groupId) !== null)) return
    for (const life of this.#lives.values()) {
      this.#appear(life)
      this.#grow(life)
    }
  }

  /** Input that is not committed to its end, or has not come to it, in words; null: all is. */
  unfinished(groupId: string): string | null {
    for (const life of this.#lives.values()) {
      const what = this.#unfinished(life, groupId)
      if (what !== null) return what
    }
    return null
  }

  /** What the positions of a topic begin with. */
  nameOf(topic: string): string {
    return this.#lives.get(topic)?.stage === 'again' ? againTopic(topic) : topic
  }

  /** Whether what has this name in positions is there now. */
  exists(name: string): boolean {
    return [...this.#lives.values()].some((life) => life.stage !== 'gone' && this.nameOf(life.name) === name)
  }

  /** Topics that have come back. */
  get again(): ReadonlySet<string> {
    return new Set([...this.#lives.values()].filter(({ stage }) => stage === 'again').map(({ name }) => name))
  }

  #subject(kind: LifeFault, nth: number): TopicLife | null {
    const { changing } = this.#options
    // One is there from the beginning; without any topic no job starts.
    const possible = kind === 'topic appears' ? changing.slice(1) : changing
    return this.#lives.get(possible[nth % Math.max(1, possible.length)] ?? '') ?? null
  }

  #appear(life: TopicLife): void {
    if (life.stage !== 'to come') return
    life.stage = 'first'
    this.#options.log.ensureTopic(life.name, { partitions: life.shown })
    this.#options.happened(`${life.name} is made, with ${String(life.shown)} partitions`)
    this.#release(life)
  }

  #grow(life: TopicLife): void {
    if (life.shown === life.partitions) return
    life.shown = life.partitions
    // One that is still to come will come with all of them.
    if (life.stage === 'to come') return
    this.#options.log.topic(life.name).grow(life.partitions)
    this.#options.happened(`${life.name} grows to ${String(life.partitions)} partitions`)
    this.#release(life)
  }

  /**
   * All may go but the last, which stops the job by right. So does one that comes back to a task in whose last commit no
   * input was one that is still the same.
   */
  #go(life: TopicLife, groupId: string): void {
    const others = [...this.#lives.values()].filter((other) => other !== life)
    const there = others.filter(({ stage }) => stage === 'first' || stage === 'again')
    const known = there.filter((other) => this.#isKnown(other, groupId))
    const returning = [life, ...others].filter(
      (one) => one.returns && !(one.stage === 'again' && this.#isKnown(one, groupId)),
    )
    const hasCompany = returning.every(({ partitions }) => known.some(({ shown }) => shown >= partitions))
    if (there.length === 0 || !hasCompany) {
      life.leaving = false
      return
    }
    this.#options.log.deleteTopic(life.name)
    life.stage = 'gone'
    this.#options.happened(`${life.name} is deleted`)
  }

  #release({ held, shown }: TopicLife): void {
    const records = held.splice(0)
    for (const record of records) if ((record.partition ?? 0) >= shown) held.push(record)
    this.#options.log.append(records.filter((record) => (record.partition ?? 0) < shown))
  }

  #comeBack(life: TopicLife): void {
    const { log, inputs } = this.#options
    life.stage = 'again'
    log.ensureTopic(life.name, { partitions: life.partitions })
    const own = inputs.arrivals.filter(({ record }) => record.topic === life.name)
    log.append(own.map(({ record, position }) => withPosition(record, againPosition(position))))
    this.#options.happened(`${life.name} is made anew, with ${String(own.length)} records`)
  }

  #unfinished(life: TopicLife, groupId: string): string | null {
    const { name, stage, shown, partitions, leaving, returns } = life
    if (stage === 'to come') return `${name} has not appeared yet`
    if (shown < partitions) return `${name} has not grown yet`
    if (stage === 'gone') return returns ? `${name} is not back yet` : null
    return this.#uncommitted(life, groupId) ?? (stage === 'first' && leaving ? `${name} is still there` : null)
  }

  /** Whether every task that has the topic has committed a position of the one that has its name now. */
  #isKnown({ name, shown }: TopicLife, groupId: string): boolean {
    const { log } = this.#options
    return Array.from({ length: shown }, (_, partition) => log.committed({ groupId, partition }, name)).every(
      (committed) => committed?.topicId === log.topicId(name),
    )
  }

  #uncommitted({ name, stage }: TopicLife, groupId: string): string | null {
    const { log, inputs } = this.#options
    for (const [partition, end] of (inputs.ends.get(name) ?? []).entries()) {
      const committed = log.committed({ groupId, partition }, name)
      const isOfThisOne = stage !== 'again' || committed?.topicId === log.topicId(name)
      const offset = isOfThisOne ? (committed?.offset ?? 0) : 0
      if (offset < end) return `${name} ${String(partition)} is committed up to ${String(offset)} of ${String(end)}`
    }
    return null
  }
}
