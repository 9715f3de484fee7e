import type { OutputRecord } from '../../core/record.ts'
import { generationOf, lineageKey } from '../../state/changelogKey.ts'
import { decodeLineage } from '../../state/changelogRecords.ts'
import { recordOfRow, type MemoryTarget } from '../world/memoryFollower.ts'
import type { MemoryLog } from '../world/memoryLog.ts'
import { deadLetterPosition, positionInHeaders } from './inputs.ts'

/** Where the number of its generation ends in a state entry's key. */
const generationEnd = 5

/** What the job has made of one input record. */
export interface PositionResult {
  /** Outputs as `topic`, key and value. */
  readonly outputs: string[]
  /** Dead letters as `topic` and code. */
  readonly deadLetters: string[]
}

/** Everything a run has left behind for others to see. */
export interface Outcome {
  /** By input position. */
  readonly positions: ReadonlyMap<string, PositionResult>
  /** Topics that are written outside of the epochs' transactions, so that records may be sent to them again. */
  readonly looseTopics: ReadonlySet<string>
  /** What stands for the sinks that follow the commits: each row once, and in no epoch's transaction. */
  readonly followedTopics: ReadonlySet<string>
  /** Outputs that name no input position. */
  readonly unplaced: readonly string[]
  /** Committed keyed state: the changelog folded, by partition and key. */
  readonly state: ReadonlyMap<string, string>
  /** Positions in the order in which they stand, by output partition. */
  readonly order: ReadonlyMap<string, readonly OrderedOutput[]>
}

/** An output where it stands. */
export interface OrderedOutput {
  readonly position: string
  readonly key: string | null
}

/** Says which input position an output comes from; null: from none, or from several. */
export type PositionOf = (output: Pick<OutputRecord, 'topic' | 'key' | 'value' | 'headers'>) => string | null

/** By the header that the simulation gives each input record. */
export const positionOfHeader: PositionOf = positionInHeaders

/** The topic that a position, or the text of an output or a dead letter, begins with. */
export function topicOf(text: string): string {
  return text.slice(0, text.indexOf(' '))
}

/** An output as one line: topic, key and value. */
export function outputText({ topic, key, value }: Pick<OutputRecord, 'topic' | 'key' | 'value'>): string {
  return `${topic} ${key?.toString() ?? '(no key)'} = ${value?.toString() ?? '(no value)'}`
}

/** An output, and the partition in which it stands. */
interface PlacedOutput extends Pick<OutputRecord, 'topic' | 'key' | 'value' | 'headers'> {
  readonly partition: number
}

/** How what is left is read. */
export interface OutcomeReading {
  /** Names of the input topics. */
  readonly inputs: ReadonlySet<string>
  /** Topics that the job says it writes exactly once. */
  readonly exactTopics: ReadonlySet<string>
  readonly positionOf: PositionOf
}

/** Reads what committed readers see: all topics but the inputs, and the changelogs. */
export function readOutcome(
  log: MemoryLog,
  target: MemoryTarget,
  { inputs, exactTopics, positionOf }: OutcomeReading,
): Outcome {
  const positions = new Map<string, PositionResult>()
  const unplaced: string[] = []
  const order = new Map<string, OrderedOutput[]>()
  const at = (position: string): PositionResult => {
    const known = positions.get(position)
    if (known !== undefined) return known
    const fresh: PositionResult = { outputs: [], deadLetters: [] }
    positions.set(position, fresh)
    return fresh
  }
  const note = (output: PlacedOutput): void => {
    const position = positionOf(output)
    if (position === null) {
      unplaced.push(outputText(output))
      return
    }
    at(position).outputs.push(outputText(output))
    const place = `${output.topic} ${String(output.partition)}`
    const list = order.get(place) ?? []
    list.push({ position, key: output.key?.toString() ?? null })
    order.set(place, list)
  }
  for (const name of log.topicNames) {
    if (inputs.has(name)) continue
    for (const { partition, records } of log.topic(name).partitions) {
      for (const { key, raw, headers } of records) {
        const dead = deadLetterPosition({ headers })
        if (dead === null) note({ topic: name, partition, key, value: raw, headers })
        else at(dead.position).deadLetters.push(`${name} ${dead.code}`)
      }
    }
  }
  const followedTopics = new Set<string>()
  for (const { sink, rows } of target.sinks) {
    const topic = `target-${sink.sink}`
    followedTopics.add(topic)
    for (const { row } of rows) note({ ...recordOfRow(row), topic, partition: sink.partition })
  }
  const atomic = new Set([...exactTopics, ...log.commits.flatMap(({ outputs }) => Object.keys(outputs))])
  const looseTopics = new Set(
    log.topicNames.filter((name) => !inputs.has(name) && !atomic.has(name) && log.topic(name).records().length > 0),
  )
  return { positions, looseTopics, followedTopics, unplaced: unplaced.sort(), state: foldChangelogs(log), order }
}

/** The last value of every state key in the changelogs; lineage and commit records are left out. */
function foldChangelogs(log: MemoryLog): Map<string, string> {
  const state = new Map<string, string>()
  for (const changelog of log.changelogs) {
    for (const { partition, records } of changelog.partitions) {
      const lineage = records.findLast(({ key }) => key?.equals(lineageKey) === true)
      if (lineage === undefined) continue
      const { generation } = decodeLineage(lineage.raw)
      for (const { key, raw } of records) {
        // What stood before a reset is left behind.
        if (key === null || generationOf(key) !== generation) continue
        const name = stateName(changelog.name, partition, key.toString('latin1'))
        if (raw === null) state.delete(name)
        else state.set(name, raw.toString('latin1'))
      }
    }
  }
  return state
}

/** Names a state entry over all tasks, whatever its generation; `key` as latin1 text. */
export function stateName(changelog: string, partition: number, key: string): string {
  return `${changelog} ${String(partition)} ${JSON.stringify(key.slice(0, 1) + key.slice(generationEnd))}`
}
