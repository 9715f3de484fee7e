import { decodeCommitMetadata } from '../core/commitMetadata.ts'
import { TidemarkError } from '../core/errors.ts'
import { formatPosition } from '../core/record.ts'
import { earliest, type StartMode } from '../core/startMode.ts'
import { sameCheckpoint, type CommitMetadata, type Positions } from '../core/task.ts'
import type { CommittedOffset, TaskLog } from '../core/taskLog.ts'
import type { LineageEntry, TaskState } from '../core/taskState.ts'
import type { Random } from '../core/random.ts'
import { checkTopicIdentity } from './topicIdentity.ts'

/** What a task needs in order to recover. */
export interface RecoveryInput {
  readonly log: TaskLog
  /** Null for a job without keyed state. */
  readonly state: TaskState | null
  readonly lineageEntry: LineageEntry
  readonly random: Random
  readonly transactionalIdPrefix: string
  readonly partitionCounts: ReadonlyMap<string, number>
  /** True when the partition counts may not change: several sources, or any state. */
  readonly copartitioned: boolean
  startMode(topic: string): StartMode
  /** `--accept-topic`: topics that go on at their committed offsets, although others have had their names. */
  readonly acceptTopics: ReadonlySet<string>
  /** `--reset-offsets`: begin anew there, with empty state. Null: go on from the last commit. */
  readonly reset: StartMode | null
}

/** Where the next epoch begins. */
export interface Recovered {
  readonly metadata: CommitMetadata
  readonly positions: Positions
}

/**
 * Recovery reads the commit and brings everything else to it. The order of an epoch is: outputs sent -> changelog ->
 * offsets with metadata -> COMMIT -> local state applied -> next epoch. What a crash leaves behind, and what happens here:
 *
 * | crash                         | committed        | local state      | recovery                                        |
 * |-------------------------------|------------------|------------------|-------------------------------------------------|
 * | before the first commit       | nothing          | empty            | start mode, committed as epoch 0                |
 * | while records flow            | epoch n          | epoch n          | the fence aborts what was sent; replay n+1      |
 * | after sends or changelog      | epoch n          | epoch n          | the same                                        |
 * | COMMIT sent, answer lost      | n or n+1         | epoch n          | the fence decides it; read which, then go on    |
 * | after COMMIT, before apply    | epoch n+1        | epoch n          | state is brought forward through the changelog  |
 * | while state is applied        | epoch n+1        | n, or n+1        | the batch is atomic: one of the two rows above  |
 * | another owner went on         | epoch n+k        | epoch n          | brought forward; another nonce: wiped, restored |
 * | offsets expired or removed    | nothing          | any              | the changelog knows the job: stop and say so    |
 */
export async function recover(input: RecoveryInput): Promise<Recovered> {
  const { log, state } = input
  await log.fence()
  let committed = await log.committed()
  let metadata = agreedMetadata(log, committed)
  if (metadata === null && input.reset === null && (await hasChangelog(log))) {
    // Another owner may have begun between the two reads; what a changelog shows now was committed before this read.
    committed = await log.committed()
    metadata = agreedMetadata(log, committed)
    if (metadata === null) throw metadataLost(log)
  }
  if (metadata === null) {
    const positions = await startPositions(input, committed, input.reset)
    return beginLineage(input, positions, null)
  }
  checkPartitionCounts(input, metadata)
  if (input.reset !== null) return beginLineage(input, await startPositions(input, new Map(), input.reset), metadata)
  const positions = await committedPositions(input, committed)
  await state?.restore(log, metadata)
  return { metadata, positions }
}

/**
 * Finds the positions where a task without a commit, or with a reset, would begin, and commits nothing: so that a mistake in
 * one partition's start is met before another partition has begun.
 *
 * @throws TidemarkError `invalid-setting`, `no-committed-offset`.
 */
export async function checkStart(input: Pick<RecoveryInput, 'log' | 'startMode' | 'reset'>): Promise<void> {
  const committed: ReadonlyMap<string, CommittedOffset> = input.reset === null ? await input.log.committed() : new Map()
  await startPositions(input, committed, input.reset)
}

/** Whether anything was ever committed to the changelog. Its end does not say so: aborted records count there as well. */
async function hasChangelog(log: TaskLog): Promise<boolean> {
  const { start, end } = await log.changelogRange()
  if (end === 0) return false
  for await (const batch of log.readChangelog(start, end)) if (batch.length > 0) return true
  return false
}

/** All inputs of a task are committed together, so their metadata must be the same and none may be missing. */
function agreedMetadata(log: TaskLog, committed: ReadonlyMap<string, CommittedOffset>): CommitMetadata | null {
  let agreed: CommitMetadata | null = null
  let carriers = 0
  for (const [topic, { metadata: text }] of committed) {
    if (text === '') continue
    const metadata = decodeCommitMetadata(text)
    carriers += 1
    agreed ??= metadata
    if (!sameCheckpoint(agreed, metadata) || agreed.lineage !== metadata.lineage) {
      throw new TidemarkError(
        'commit-metadata-lost',
        `The committed offsets of partition ${String(log.partition)} do not belong together: ${topic} is at epoch ${String(metadata.epoch)}, another input at ${String(agreed.epoch)}. Something else has committed to this consumer group. Begin again with --reset-offsets <mode>, or from a savepoint`,
        { details: { partition: log.partition, topic } },
      )
    }
  }
  if (agreed !== null && carriers < agreed.inputs) throw metadataLost(log)
  return agreed
}

function metadataLost(log: TaskLog): TidemarkError {
  return new TidemarkError(
    'commit-metadata-lost',
    `Partition ${String(log.partition)} of ${log.topics.join(', ')} has been processed before, and this group has no committed offsets for it (they expired, were removed by hand, or the job ran under another group). Going on would read everything again or skip records: begin explicitly with --reset-offsets <earliest|latest|…>`,
    { details: { partition: log.partition } },
  )
}

function checkPartitionCounts(input: RecoveryInput, metadata: CommitMetadata): void {
  if (!input.copartitioned) return
  for (const [topic, recorded] of Object.entries(metadata.partitionCounts)) {
    const now = input.partitionCounts.get(topic)
    if (now === undefined || now === recorded) continue
    throw new TidemarkError(
      'partitions-changed',
      `Topic ${topic} had ${String(recorded)} partitions when the job began and has ${String(now)} now, so keys have moved away from their state. Run the job under a new name and consumer group, or restore the partition count`,
      { details: { topic, recorded, now } },
    )
  }
}

/** Committed positions; an input that is new since then starts at earliest. Data must still be there. */
async function committedPositions(
  { log, acceptTopics }: Pick<RecoveryInput, 'log' | 'acceptTopics'>,
  committed: ReadonlyMap<string, CommittedOffset>,
): Promise<ReadonlyMap<string, number>> {
  const positions = new Map<string, number>()
  for (const topic of log.topics) {
    checkTopicIdentity(log, topic, committed.get(topic), acceptTopics)
    const range = await log.range(topic)
    const offset = committed.get(topic)?.offset ?? range.start
    if (offset < range.start || offset > range.end) {
      const position = formatPosition({ topic, partition: log.partition, offset })
      throw new TidemarkError(
        'data-removed',
        `The next record to read is ${position}, and the topic now holds ${String(range.start)} to ${String(range.end)}: ${
          offset < range.start
            ? 'retention removed records before they were read'
            : 'the topic was replaced or truncated'
        }. Accept the loss with --reset-offsets earliest, and give the topic a longer retention`,
        { details: { topic, partition: log.partition, offset, start: range.start, end: range.end } },
      )
    }
    positions.set(topic, offset)
  }
  return positions
}

async function startPositions(
  input: Pick<RecoveryInput, 'log' | 'startMode'>,
  committed: ReadonlyMap<string, CommittedOffset>,
  reset: StartMode | null,
): Promise<ReadonlyMap<string, number>> {
  const positions = new Map<string, number>()
  for (const topic of input.log.topics) {
    const found = committed.get(topic)
    // Offsets that another consumer of the group has committed count as committed offsets.
    positions.set(
      topic,
      found?.offset ?? (await resolveStart(input.log, topic, reset ?? (await startModeOf(input, topic)))),
    )
  }
  return positions
}

/** What came after the job had begun was never skipped by its start mode. */
async function startModeOf(
  { log, startMode }: Pick<RecoveryInput, 'log' | 'startMode'>,
  topic: string,
): Promise<StartMode> {
  return (await log.discovered?.(topic)) === true ? earliest : startMode(topic)
}

async function resolveStart(log: TaskLog, topic: string, mode: StartMode): Promise<number> {
  const { start, end } = await log.range(topic)
  switch (mode.kind) {
    case 'earliest':
      return start
    case 'latest':
      return end
    case 'timestamp':
      return log.offsetAtTime(topic, mode.timestampMs)
    case 'offsets': {
      const offset = mode.offsets.get(log.partition) ?? start
      if (offset >= start && offset <= end) return offset
      throw new TidemarkError(
        'invalid-setting',
        `The start offset ${formatPosition({ topic, partition: log.partition, offset })} is outside of what the topic holds, ${String(start)} to ${String(end)}. Example: offsets:${String(log.partition)}=${String(start)}`,
        { details: { topic, partition: log.partition, offset } },
      )
    }
    case 'committed':
      throw new TidemarkError(
        'no-committed-offset',
        `The start mode is committed, and the consumer group has no committed offset for ${topic}, partition ${String(log.partition)}. Choose what to do then: earliest or latest, for example startFrom: committedOffsets('earliest')`,
        { details: { topic, partition: log.partition } },
      )
  }
}

/**
 * Commits positions before the first read, so that a crash skips nothing: as epoch 0, or, after a reset, as the epoch after
 * the last one with a new lineage and a new, empty generation of state.
 */
async function beginLineage(
  input: RecoveryInput,
  positions: Positions,
  previous: CommitMetadata | null,
): Promise<Recovered> {
  const { log, random } = input
  // Without a commit the changelog may still hold the state of a lineage that is lost; it must not come back.
  const lastGeneration = previous?.generation ?? (await input.state?.lastGeneration(log)) ?? null
  const lineage = { lineage: random.hex(16), generation: lastGeneration === null ? 0 : lastGeneration + 1 }
  const transaction = log.begin()
  let metadata: CommitMetadata
  try {
    const changelogEnd = await transaction.prepare([input.lineageEntry(lineage)])
    metadata = {
      version: 1,
      ...lineage,
      epoch: previous === null ? 0 : previous.epoch + 1,
      nonce: random.hex(8),
      inputs: positions.size,
      partitionCounts: Object.fromEntries(
        [...positions.keys()].map((topic) => [topic, input.partitionCounts.get(topic) ?? 0]),
      ),
      transactionalIdPrefix: input.transactionalIdPrefix,
      changelogEnd,
      followerBaseMicros: previous?.followerBaseMicros ?? null,
      watermarkMs: null,
    }
    await transaction.commit(positions, metadata)
  } catch (error) {
    // An abort that fails too must not hide why; the next recovery fences, which does the same.
    await transaction.abort().catch(() => undefined)
    throw error
  }
  await input.state?.restore(log, metadata)
  return { metadata, positions }
}
