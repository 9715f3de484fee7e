import type { CommitRecord, RecordedPosition } from '../../core/changelogRecords.ts'
import { foreignMetadata } from '../../core/commitMetadata.ts'
import { TidemarkError } from '../../core/errors.ts'
import { sameCheckpoint, type CheckpointId, type CommitMetadata, type Lineage } from '../../core/ports/task.ts'
import type { CommittedPosition } from '../../core/ports/commitLog.ts'
import type { PositionFormat } from '../../core/ports/position.ts'
import { commitOfNewestLineage, type CommitTraces } from './commitTraces.ts'
import { nameTaken } from '../job/jobIdentity.ts'
import { readPosition } from './startPosition.ts'

/** The last commit of a task. */
export interface LastCommit {
  readonly metadata: CommitMetadata
  /** By topic, of the inputs that the commit was of. */
  readonly committed: ReadonlyMap<string, CommittedPosition>
  /** Inputs whose offsets the consumer group has lost; the changelog's commit record has them. */
  readonly refilled: readonly string[]
  /** Inputs that the commit was of and that are the task's no more: others decide whether it may go on without them. */
  readonly left: readonly string[]
  /** Inputs that were left before the last reset and have come back: their offsets are of what it has ended. */
  readonly outdated: readonly string[]
}

interface Task {
  readonly partition: number
  readonly topics: readonly string[]
  readonly groupId: string
  readonly format: PositionFormat
}

/**
 * What the traces of a task amount to: its last commit, null where there never was one, or the error that says why they
 * contradict each other. Offsets and changelog are committed together, so
 *
 * | offsets with metadata      | commit record            | what it means                                            |
 * |----------------------------|--------------------------|----------------------------------------------------------|
 * | none                       | none, changelog empty    | nothing was ever committed                               |
 * | none                       | none, changelog is not   | lost offsets, and an earlier version: stop               |
 * | any                        | newer, of another group  | the name was taken over: stop                            |
 * | none, no offsets at all    | the changelog's last     | they expired: the record is the commit                   |
 * | none, but offsets          | there                    | they were set by hand: stop                              |
 * | of all inputs              | none, older, or the same | the metadata is the commit                               |
 * | of all inputs              | newer, or another's      | they were set back: stop                                 |
 * | of some inputs             | of the same commit       | the others expired: the record has them                  |
 * | of some inputs             | none, or of another      | lost offsets: stop; or the others are inputs no more     |
 * | of some inputs, and older  | of the newer commit, and | inputs that were left and have come back: they go on     |
 * | ones of others             | the older are not in it  | where they were, or begin anew if there was a reset      |
 * | that differ, or not ours   | any                      | something else commits to the group: stop                |
 *
 * A record that is older than the metadata was left by a version that writes none.
 */
export function lastCommit(task: Task, traces: CommitTraces): LastCommit | TidemarkError | null {
  const { committed, metadata, foreign } = traces
  const [notOurs] = foreign
  if (notOurs !== undefined) return foreignMetadata(committed.get(notOurs)?.metadata ?? '')
  const agreed = newestOf([...metadata.values()])
  if (agreed === null) return withoutMetadata(task, traces)
  const cameBack = inputsThatCameBack(traces, agreed)
  for (const [topic, other] of metadata) {
    if (cameBack.has(topic)) continue
    if (!sameCheckpoint(agreed, other) || agreed.lineage !== other.lineage) {
      return lost(
        task,
        `The committed offsets of partition ${String(task.partition)} do not belong together: ${topic} is at ${commitText(other)}, another input at ${commitText(agreed)}. Something else has committed to this consumer group`,
      )
    }
  }
  return withMetadata(task, traces, agreed, cameBack)
}

function newestOf(metadata: readonly CommitMetadata[]): CommitMetadata | null {
  return metadata.reduce<CommitMetadata | null>(
    (newest, each) => (newest === null || isOlder(newest, each) ? each : newest),
    null,
  )
}

/** Inputs whose offsets are of an older commit, where the changelog says that the newest one was not of them. */
function inputsThatCameBack({ metadata, changelog }: CommitTraces, newest: CommitMetadata): ReadonlySet<string> {
  const record = changelog.commit
  if (record === null || !isOf(record, newest)) return new Set()
  return new Set(
    [...metadata].flatMap(([topic, each]) => {
      const isOfThis = each.lineage === newest.lineage || isBeforeReset(each, newest)
      return isOfThis && isOlder(each, newest) && !record.positions.has(topic) ? [topic] : []
    }),
  )
}

function isBeforeReset(commit: Lineage, than: Lineage): boolean {
  return commit.lineage !== than.lineage && commit.generation < than.generation
}

function withMetadata(
  task: Task,
  traces: CommitTraces,
  agreed: CommitMetadata,
  cameBack: ReadonlySet<string>,
): LastCommit | TidemarkError {
  const { committed, metadata, changelog } = traces
  const record = changelog.commit
  const isSame = record !== null && isOf(record, agreed)
  if (record !== null && !isSame && !isOlder(record.commit, agreed)) {
    if (record.groupId !== task.groupId) return nameTaken(task, record.groupId)
    return lost(
      task,
      `The consumer group ${task.groupId} says of partition ${String(task.partition)} that it is at ${commitText(agreed)}, and its changelog that it is at ${commitText(record.commit)}: the offsets were set back, or are of a copy`,
      `Remove the group's offsets of this partition, so that the job goes on from its changelog (${positionsText(task, record)})`,
    )
  }
  const outdated = [...cameBack].filter((topic) => isBeforeReset(metadata.get(topic) ?? agreed, agreed))
  const known = new Map([...committed].filter(([topic]) => metadata.has(topic) && !outdated.includes(topic)))
  const missing = agreed.inputs - (metadata.size - cameBack.size)
  if (missing <= 0) return { metadata: agreed, committed: known, refilled: [], left: [], outdated }
  if (!isSame) {
    // A version that writes no record names the inputs in the metadata, those at least that were there at its first commit.
    const left = Object.keys(agreed.partitionCounts).filter(
      (topic) => !metadata.has(topic) && !task.topics.includes(topic),
    )
    return left.length === missing
      ? { metadata: agreed, committed: known, refilled: [], left, outdated }
      : offsetsLost(task)
  }
  const refilled: string[] = []
  const left: string[] = []
  for (const [topic, recorded] of record.positions) {
    if (known.has(topic)) continue
    if (committed.has(topic)) return setByHand(task, traces, record, [topic])
    if (!task.topics.includes(topic)) left.push(topic)
    else {
      refilled.push(topic)
      known.set(topic, committedAs(task, topic, recorded))
    }
  }
  return { metadata: agreed, committed: known, refilled, left, outdated }
}

function withoutMetadata(task: Task, traces: CommitTraces): LastCommit | TidemarkError | null {
  const { committed, changelog } = traces
  const record = changelog.commit
  if (record === null) return changelog.empty ? null : offsetsLost(task)
  const { groupId, commit } = record
  if (groupId !== task.groupId) return nameTaken(task, groupId)
  if (committed.size > 0) return setByHand(task, traces, record, [...committed.keys()])
  if (commitOfNewestLineage(changelog) === null || changelog.goesOn) return offsetsLost(task)
  const kept = [...record.positions].filter(([topic]) => task.topics.includes(topic))
  return {
    metadata: { ...commit, changelogEnd: changelog.end },
    committed: new Map(kept.map(([topic, recorded]) => [topic, committedAs(task, topic, recorded)])),
    refilled: kept.map(([topic]) => topic),
    left: [...record.positions.keys()].filter((topic) => !task.topics.includes(topic)),
    outdated: [],
  }
}

function isOf({ commit }: CommitRecord, metadata: CommitMetadata): boolean {
  return sameCheckpoint(commit, metadata) && commit.lineage === metadata.lineage
}

/** Generations only grow, and within one epochs do. */
function isOlder(record: CheckpointId & Lineage, than: CheckpointId & Lineage): boolean {
  return record.generation < than.generation || (record.generation === than.generation && record.epoch < than.epoch)
}

function setByHand(
  task: Task,
  { committed }: CommitTraces,
  record: CommitRecord,
  topics: readonly string[],
): TidemarkError {
  const found = topics.flatMap((topic) => {
    const at = committed.get(topic)?.position
    return at === undefined ? [] : [`${topic} ${task.format.show(at)}`]
  })
  return lost(
    task,
    `The consumer group ${task.groupId} has offsets of partition ${String(task.partition)} that this job did not commit (${found.join(', ')}), and its changelog says that it is at ${commitText(record.commit)}`,
    `Remove the group's offsets of this partition, so that the job goes on from its changelog (${positionsText(task, record)})`,
  )
}

function offsetsLost(task: Task): TidemarkError {
  return lost(
    task,
    `Partition ${String(task.partition)} of ${task.topics.join(', ')} has been processed before, and this group has no committed offsets for it (they expired, were removed by hand, or the job ran under another group). Going on would read everything again or skip records`,
    'Give a second deployment of the job file a name of its own with --job.name=<name>',
  )
}

function lost({ partition }: Task, what: string, remedy?: string): TidemarkError {
  const begin = 'begin explicitly, with empty state, with --reset-offsets <earliest|latest|…>'
  return new TidemarkError(
    'commit-metadata-lost',
    remedy === undefined ? `${what}: ${begin}` : `${what}. ${remedy}, or ${begin}`,
    { details: { partition } },
  )
}

function commitText({ epoch, nonce, generation }: CheckpointId & Lineage): string {
  return `epoch ${String(epoch)} (${nonce}) of generation ${String(generation)}`
}

function positionsText({ format }: Task, { positions }: CommitRecord): string {
  const shown = [...positions].map(
    ([topic, { position }]) => `${topic} ${format.show(readPosition(format, topic, position))}`,
  )
  return shown.join(', ')
}

/** As the consumer group would have it, had it not lost it. */
function committedAs({ format }: Task, topic: string, { position, topicId }: RecordedPosition): CommittedPosition {
  const at = { position: readPosition(format, topic, position), metadata: '' }
  return topicId === undefined ? at : { ...at, topicId }
}
