import { offsetOf, offsetPosition } from '../../core/offsetPosition.ts'
import { decodeCommitMetadata } from '../../core/commitMetadata.ts'
import { changelogTopicName } from '../../core/ownNames.ts'
import { formatPosition } from '../../core/record.ts'
import type { ObservedCommit, MemoryLog } from '../world/memoryLog.ts'
import { deadLetterPosition, againPosition, firstPosition } from './inputs.ts'
import { topicOf, stateName, type Outcome, type PositionOf, type PositionResult } from './outcome.ts'
import type { SimulatedSlot } from './simulatedSlot.ts'

/** An invariant that does not hold, and where that shows. */
export interface Violation {
  readonly invariant: string
  readonly message: string
}

/** What may differ from the run without faults, because of what was done to the tables. */
export interface Tolerance {
  /** This record may have become a dead letter of its lookup. */
  lookupDeadLetter(position: string): boolean
  /** What comes of this record may say something else: its row has changed. */
  otherValue(position: string): boolean
  /** Some record may. */
  readonly any: boolean
}

/** What there is to know of a run whose outcome is compared. */
export interface ComparedRun {
  readonly tolerance: Tolerance
  readonly stateful: boolean
  readonly passes: Passes
  /** Topics that were deleted and made anew, with the same records. */
  readonly again: ReadonlySet<string>
}

/** Nothing may differ. */
export const exact: Tolerance = { lookupDeadLetter: () => false, otherValue: () => false, any: false }

const nothing: PositionResult = { outputs: [], deadLetters: [] }
const lookupCodes: ReadonlySet<string> = new Set(['lookup-timeout', 'lookup-failed'])

/** What commits are held against. */
export interface ExpectedCommits {
  /** Null: only the order of commits is looked at. */
  readonly reference: Outcome | null
  readonly positionOf: PositionOf
  readonly tolerance: Tolerance
  /** What the positions of a topic begin with. */
  nameOf(topic: string): string
}

/**
 * Holds every commit against the run without faults, in the moment in which it is made: it goes on where the last one
 * ended, and it holds the outputs of exactly the input that it passes.
 */
export class CommitChecks {
  readonly #expected: ExpectedCommits
  readonly passes: Passes

  constructor(expected: ExpectedCommits) {
    this.#expected = expected
    this.passes = new Passes((topic) => expected.nameOf(topic))
  }

  check(commit: ObservedCommit): Violation | null {
    const { task, before, positions, metadata } = commit
    const who = `partition ${String(task.partition)}, epoch ${String(metadata.epoch)}`
    const earlier = [...before].filter(([, { metadata: text }]) => text !== '')
    // An input that was left for a while, by an owner that did not know it yet, stands at an older one.
    const newest = Math.max(-1, ...earlier.map(([, { metadata: text }]) => decodeCommitMetadata(text).epoch))
    if (earlier.length > 0 && metadata.epoch !== newest + 1) {
      return {
        invariant: 'epochs follow each other',
        message: `${who} was committed after epoch ${String(newest)}`,
      }
    }
    for (const [topic, { offset, metadata: text }] of earlier) {
      const last = decodeCommitMetadata(text)
      const next = offsetOf(positions.get(topic) ?? offsetPosition(-1))
      // A reset begins a lineage, once.
      const begins = metadata.lineage !== last.lineage
      if (begins && this.passes.knows(topic, task.partition, metadata.lineage)) {
        return {
          invariant: 'a reset happens once',
          message: `${who}: ${topic} was in lineage ${last.lineage}, and is in ${metadata.lineage} again`,
        }
      }
      if (next < offset && !begins) {
        return {
          invariant: 'offsets never go back',
          message: `${who}: ${topic} was committed up to ${String(offset)} before, and is now at ${String(next)}`,
        }
      }
    }
    this.passes.note(commit)
    return this.#checkContent(commit, who)
  }

  /** Each input position is in the commit that passes it, and in no other. */
  #checkContent({ task, before, positions, outputs }: ObservedCommit, who: string): Violation | null {
    const { reference, positionOf, tolerance } = this.#expected
    if (reference === null || before.size === 0) return null
    const found = new Map<string, { outputs: number; deadLetters: string[] }>()
    for (const { topic, record } of outputs) {
      const dead = deadLetterPosition(record)
      const position = dead?.position ?? positionOf({ ...record, topic: topic.name })
      if (position === null) continue
      const here = found.get(position) ?? { outputs: 0, deadLetters: [] }
      found.set(position, here)
      if (dead === null) here.outputs += 1
      else here.deadLetters.push(`${topic.name} ${dead.code}`)
    }
    for (const [topic, end] of positions) {
      // An input that has come later begins at its beginning.
      for (let offset = before.get(topic)?.offset ?? 0; offset < offsetOf(end); offset += 1) {
        const position = formatPosition({ topic: this.#expected.nameOf(topic), partition: task.partition, offset })
        const first = firstPosition(position)
        const wanted = without(reference.positions.get(first), reference.looseTopics, reference.followedTopics)
        const here = found.get(position) ?? { outputs: 0, deadLetters: [] }
        found.delete(position)
        if (wanted.outputs.length === here.outputs && wanted.deadLetters.length === here.deadLetters.length) continue
        if (isLookupDeadLetter(here.outputs, here.deadLetters) && tolerance.lookupDeadLetter(first)) continue
        const has = `${String(here.outputs)} outputs and ${String(here.deadLetters.length)} dead letters`
        const ahead = here.outputs + here.deadLetters.length < wanted.outputs.length + wanted.deadLetters.length
        return {
          invariant: ahead ? 'offsets are never ahead of outputs' : 'each position once',
          message: `${who} passes ${position} with ${has} of it; without faults there are ${String(wanted.outputs.length)} and ${String(wanted.deadLetters.length)}`,
        }
      }
    }
    const [foreign] = found.keys()
    if (foreign === undefined) return null
    return {
      invariant: 'outputs belong to their epoch',
      message: `${who} holds an output of ${foreign}, which it does not pass: it stood before the commit's offsets or behind them`,
    }
  }
}

/** Holds what a run has left against the run without faults. */
export function compareOutcomes(
  outcome: Outcome,
  reference: Outcome,
  { tolerance, stateful, passes, again }: ComparedRun,
): Violation | null {
  // In keyed state, what has become of one record shows in others.
  const anyValue = stateful && tolerance.any
  let differs = false
  const known = [...reference.positions.keys()]
  const second = known.filter((position) => again.has(topicOf(position))).map(againPosition)
  for (const position of new Set([...known, ...second, ...outcome.positions.keys()])) {
    const first = firstPosition(position)
    const times = Math.max(1, passes.of(position))
    const wanted = repeated(without(reference.positions.get(first), reference.looseTopics), times)
    const here = without(outcome.positions.get(position), reference.looseTopics)
    // After a reset its lookup is another one, of the same row.
    if (times > 1 && tolerance.lookupDeadLetter(first)) {
      differs = true
      continue
    }
    if (wanted.outputs.length !== here.outputs.length || wanted.deadLetters.length !== here.deadLetters.length) {
      if (isLookupDeadLetter(here.outputs.length, here.deadLetters) && tolerance.lookupDeadLetter(first)) {
        differs = true
        continue
      }
      return {
        invariant: 'each position once',
        message: `${position} has ${String(here.outputs.length)} outputs and ${String(here.deadLetters.length)} dead letters; without faults it has ${String(wanted.outputs.length)} and ${String(wanted.deadLetters.length)}`,
      }
    }
    const other =
      unlike(here.outputs, wanted.outputs) ??
      (isLookupDeadLetter(here.outputs.length, here.deadLetters) && tolerance.lookupDeadLetter(first)
        ? undefined
        : unlike(here.deadLetters, wanted.deadLetters))
    if (other === undefined) continue
    if (anyValue || tolerance.otherValue(first)) {
      differs = true
      continue
    }
    return {
      invariant: 'same results',
      message: `${position} gave ${other}; without faults it gives ${[...wanted.outputs, ...wanted.deadLetters].join(', ')}`,
    }
  }
  // What comes of several records may show what has become of one.
  if (differs || tolerance.any) return null
  if (!passes.several && again.size === 0 && outcome.unplaced.join('\n') !== reference.unplaced.join('\n')) {
    return {
      invariant: 'same results',
      message: `there are ${String(outcome.unplaced.length)} outputs that name no input position; without faults ${String(reference.unplaced.length)}, or others. First difference: ${firstDifference(outcome.unplaced, reference.unplaced)}`,
    }
  }
  return lostOutside(outcome, reference) ?? compareState(outcome.state, reference.state)
}

/** What has become of a position, without what stands in topics of which more, or less, is asked. */
function without(result = nothing, ...topics: readonly ReadonlySet<string>[]): PositionResult {
  const stays = (text: string): boolean => !topics.some((some) => some.has(topicOf(text)))
  return { outputs: result.outputs.filter(stays), deadLetters: result.deadLetters.filter(stays) }
}

/** A topic outside of the transactions has every output at least once. */
function lostOutside(outcome: Outcome, reference: Outcome): Violation | null {
  if (reference.looseTopics.size === 0) return null
  for (const [position, wanted] of reference.positions) {
    const here = new Set(outcome.positions.get(position)?.outputs.map(topicOf))
    const topic = wanted.outputs.map(topicOf).find((one) => reference.looseTopics.has(one) && !here.has(one))
    if (topic === undefined) continue
    return { invariant: 'each position at least once', message: `${position} has no output in ${topic}` }
  }
  return null
}

/** Within each output partition, outputs of one input partition (and key) stand in the order of their inputs. */
export function checkOrder({ order }: Outcome, by: 'key' | 'partition'): Violation | null {
  for (const [place, outputs] of order) {
    const last = new Map<string, number>()
    for (const { position, key } of outputs) {
      const at = position.lastIndexOf('@')
      const source = JSON.stringify([position.slice(0, at), by === 'key' ? key : null])
      const offset = Number(position.slice(at + 1))
      const before = last.get(source)
      if (before !== undefined && offset < before) {
        return {
          invariant: 'order',
          message: `in ${place} the output of ${position} stands behind that of @${String(before)}${by === 'key' ? ` with the same key ${key ?? '(none)'}` : ''}`,
        }
      }
      last.set(source, offset)
    }
  }
  return null
}

/** Committed state is what replaying the committed inputs gives. */
function compareState(state: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): Violation | null {
  for (const name of new Set([...wanted.keys(), ...state.keys()])) {
    if (state.get(name) === wanted.get(name)) continue
    const shown = (text: string | undefined): string => (text === undefined ? 'nothing' : JSON.stringify(text))
    return {
      invariant: 'state is the replay of committed inputs',
      message: `state ${name} is ${shown(state.get(name))}; replaying the input gives ${shown(wanted.get(name))}`,
    }
  }
  return null
}

function isLookupDeadLetter(outputs: number, deadLetters: readonly string[]): boolean {
  return outputs === 0 && deadLetters.length === 1 && lookupCodes.has(deadLetters[0]?.split(' ')[1] ?? '')
}

/** What is made of a position in so many lineages. */
function repeated({ outputs, deadLetters }: PositionResult, times: number): PositionResult {
  if (times === 1) return { outputs, deadLetters }
  const all = Array.from({ length: times })
  return { outputs: all.flatMap(() => outputs), deadLetters: all.flatMap(() => deadLetters) }
}

/** The first text that is not among the wanted ones in its place. */
function unlike(here: readonly string[], wanted: readonly string[]): string | undefined {
  const sorted = wanted.toSorted()
  return here.toSorted().find((text, index) => text !== sorted[index])
}

function firstDifference(here: readonly string[], wanted: readonly string[]): string {
  const longest = Math.max(here.length, wanted.length)
  for (let index = 0; index < longest; index += 1) {
    if (here[index] !== wanted[index]) return `${here[index] ?? 'nothing'} instead of ${wanted[index] ?? 'nothing'}`
  }
  return 'none'
}

/** A local store that claims to hold the last commit's state and does not; null: there is none. */
export function staleStore(slots: readonly SimulatedSlot[], log: MemoryLog, { state }: Outcome): Violation | null {
  for (const { name, disks } of slots) {
    for (const { task, disk } of disks.values()) {
      const last = log.commits.findLast(({ partition }) => partition === task.partition)
      if (disk.position === null || disk.position.nonce !== last?.nonce) continue
      const changelog = changelogTopicName(task)
      const held = [...disk.values].map(([key, value]) => [stateName(changelog, task.partition, key), value] as const)
      const prefix = stateName(changelog, task.partition, '').slice(0, -2)
      const wanted = [...state].filter(([entry]) => entry.startsWith(prefix))
      const wrong = held.find(([entry, value]) => state.get(entry) !== value)
      if (wrong === undefined && held.length === wanted.length) continue
      const others = wrong === undefined ? '' : `, or others: ${wrong[0]}`
      return {
        invariant: 'local state is the committed state',
        message: `the store of task ${String(task.partition)} on ${name} claims epoch ${String(disk.position.epoch)} and holds ${String(held.length)} entries, not the ${String(wanted.length)} that are committed${others}`,
      }
    }
  }
  return null
}

/**
 * How often each input position was committed: once, and once more in each lineage that a reset has begun and that has come
 * as far.
 */
class Passes {
  /** Committed offsets by input partition, then lineage. */
  readonly #ends: Map<string, Map<string, number>> = new Map<string, Map<string, number>>()
  /** What the positions of a topic begin with. */
  readonly #nameOf: (topic: string) => string

  constructor(nameOf: (topic: string) => string) {
    this.#nameOf = nameOf
  }

  note({ task, positions, metadata }: Pick<ObservedCommit, 'task' | 'positions' | 'metadata'>): void {
    for (const [topic, end] of positions) {
      const place = `${this.#nameOf(topic)} ${String(task.partition)}`
      const lineages = this.#ends.get(place) ?? new Map<string, number>()
      this.#ends.set(place, lineages)
      lineages.set(metadata.lineage, offsetOf(end))
    }
  }

  /** Whether a lineage has committed anything of an input partition. */
  knows(topic: string, partition: number, lineage: string): boolean {
    return this.#ends.get(`${this.#nameOf(topic)} ${String(partition)}`)?.has(lineage) ?? false
  }

  /** An input partition, of a topic that is there, whose last commit is of another lineage; null: there is none. */
  outside(lineage: string, exists: (name: string) => boolean): string | null {
    for (const [place, lineages] of this.#ends) {
      if ([...lineages.keys()].at(-1) !== lineage && exists(place.slice(0, place.lastIndexOf(' ')))) return place
    }
    return null
  }

  /** @param position `topic partition@offset` */
  of(position: string): number {
    const at = position.lastIndexOf('@')
    const offset = Number(position.slice(at + 1))
    let passes = 0
    for (const end of this.#ends.get(position.slice(0, at))?.values() ?? []) if (end > offset) passes += 1
    return passes
  }

  /** Some partition has begun anew. */
  get several(): boolean {
    return [...this.#ends.values()].some((lineages) => lineages.size > 1)
  }
}
