import { recordedPositions } from '../../core/changelogRecords.ts'
import type { ControlRecord } from '../../core/controlRecord.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports/logger.ts'
import { partitionsChanged } from '../../core/topicErrors.ts'
import { earliest } from '../../core/startMode.ts'
import type { Position, Positions } from '../../core/ports/position.ts'
import { sameCheckpoint, type CommitMetadata, type Lineage } from '../../core/ports/task.ts'
import type { CommittedPosition } from '../../core/ports/commitLog.ts'
import type { TaskLog } from '../../core/ports/taskLog.ts'
import type { TaskState } from '../../core/ports/taskState.ts'
import { commitsAmong, knownGeneration, readCommitted, readTraces, type CommitTraces } from './commitTraces.ts'
import { nameTaken } from '../job/jobIdentity.ts'
import type { JobShared } from '../job/jobShared.ts'
import type { FollowersProgress, TaskFollowers } from '../follower/taskFollowers.ts'
import { checkTopicIdentity, inputsMadeAnew, isAnother, leaveBehind } from './changedInputs.ts'
import { commitPositions } from './commitPositions.ts'
import { lastCommit, type LastCommit } from './lastCommit.ts'
import { readPosition, startPosition, stillThere } from './startPosition.ts'

/** What a task needs in order to recover. */
export interface RecoveryInput extends Pick<
  JobShared,
  | 'plan'
  | 'records'
  | 'random'
  | 'partitionCounts'
  | 'startMode'
  | 'acceptTopics'
  | 'dropInputs'
  | 'dropped'
  | 'control'
> {
  readonly log: TaskLog
  /** Null for a job without keyed state. */
  readonly state: TaskState | null
  readonly logger: Logger
  readonly followers: TaskFollowers
  readonly stopping: AbortSignal
}

/** Where the next epoch begins. */
export interface Recovered {
  readonly metadata: CommitMetadata
  readonly positions: Positions
  /** How far the sinks are that follow the commits. */
  readonly followers: FollowersProgress
}

/**
 * Recovery reads the commit and brings everything else to it. The order of an epoch is: outputs sent -> changelog, its commit
 * record last -> offsets with metadata -> COMMIT -> local state applied -> next epoch. What a crash leaves behind, and what
 * happens here:
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
 * | offsets expired, all or some  | epoch n          | any              | the changelog's commit record has them: go on   |
 * | offsets set by hand, or back  | contradictory    | any              | stop and say what each says: see `lastCommit`   |
 * | all is gone but a target      | nothing          | any              | stop: which input its rows came from is unknown |
 *
 * A reset is an act of the whole job, decided before, by the process that was asked for it, and written to the control record.
 * Each task obeys it here, once, whichever process it has come to:
 *
 * | crash                        | control record | committed     | recovery                                               |
 * |------------------------------|----------------|---------------|--------------------------------------------------------|
 * | while it is resolved         | as before      | epoch n       | nothing is reset                                       |
 * | after it is written          | generation g   | n, before g   | its positions as epoch n+1, in its lineage, no state   |
 * | after that commit            | generation g   | n+1, of g     | go on                                                  |
 * | a version without it resets  | generation g   | n, beyond g   | go on                                                  |
 * | before a task's first commit | generation g   | nothing       | its positions, and earliest where it lists none        |
 */
export async function recover(input: RecoveryInput): Promise<Recovered> {
  const { log, state, records, plan } = input
  await log.commitLog.fence()
  const control = await input.control()
  let traces = await readTraces(log, records)
  const earlier = new Set(commitsAmong(traces).map(({ transactionalIdPrefix }) => transactionalIdPrefix))
  earlier.delete(plan.transactionalIdPrefix)
  if (earlier.size > 0) {
    // Who has used them is locked out as well, and may have committed until then.
    for (const prefix of earlier) await log.commitLog.fenceEarlier(prefix)
    traces = await readTraces(log, records)
  }
  if (control !== null && (knownGeneration(traces) ?? -1) < control.generation) {
    if (control.request.groupId !== plan.groupId) {
      throw nameTaken(taskOf(input), control.request.groupId)
    }
    return beginControlled(input, control, traces)
  }
  const last = await settledCommit(input, traces)
  if (last === null) return beginAnew(input, traces)
  const { metadata, refilled, left, outdated } = last
  const sources = { ...input, inputs: log.inputs, selections: plan.sources.map(({ topics }) => topics) }
  await leaveBehind(left, sources)
  checkPartitionCounts(input, metadata)
  const committed = new Map([...traces.committed, ...last.committed])
  for (const topic of outdated) committed.delete(topic)
  const anew = inputsMadeAnew({ ...sources, committed })
  for (const topic of anew) {
    committed.delete(topic)
    input.logger.warn('An input was deleted and made anew; it is read from its beginning', { topic })
  }
  const lost = refilled.filter((topic) => !anew.includes(topic))
  if (lost.length > 0) {
    input.logger.warn(
      'The consumer group has lost committed offsets; going on from the commit record in the changelog',
      {
        topics: lost,
        epoch: metadata.epoch,
      },
    )
  }
  const positions = await committedPositions(input, committed)
  const followers = await input.followers.adopt(progressOf(traces, metadata))
  await state?.restore(log.changelog, metadata)
  return { metadata, positions, followers }
}

/**
 * Finds the positions where a task that nothing is known of would begin, and commits nothing: so that a mistake in one
 * partition's start is met before another partition has begun.
 *
 * @throws TidemarkError `invalid-setting`, `no-committed-offset`.
 */
export async function checkStart(input: Pick<RecoveryInput, 'log' | 'startMode' | 'control'>): Promise<void> {
  const { log } = input
  if ((await input.control()) !== null) return
  // Looked at first: offsets that a dead owner has left undecided are not told before the fence.
  const { end } = await log.changelog.range()
  if (end > 0) return
  const { committed, metadata, foreign } = await readCommitted(log)
  if (metadata.size === 0 && foreign.length === 0) await startPositions(input, committed)
}

/**
 * The last commit, or the error of one that cannot be told. Another owner may have begun between the two reads, so that the
 * changelog tells of a commit that the offsets did not yet: they are read once more before anything is said.
 */
async function settledCommit(input: RecoveryInput, traces: CommitTraces): Promise<LastCommit | null> {
  let last = lastCommit(taskOf(input), traces)
  if (last instanceof TidemarkError)
    last = lastCommit(taskOf(input), { ...traces, ...(await readCommitted(input.log)) })
  if (last instanceof TidemarkError) throw last
  return last
}

function taskOf({ log, plan }: RecoveryInput): Parameters<typeof lastCommit>[0] {
  return { partition: log.partition, topics: log.inputs.topics, groupId: plan.groupId, format: log.inputs.format }
}

function checkPartitionCounts(input: RecoveryInput, metadata: CommitMetadata): void {
  if (!input.plan.copartitioned) return
  for (const [topic, recorded] of Object.entries(metadata.partitionCounts)) {
    const now = input.partitionCounts.get(topic)
    if (now !== undefined && now !== recorded) throw partitionsChanged(topic, recorded, now)
  }
}

/** Committed positions; an input that is new since then, or since a reset, starts at earliest. Data must still be there. */
async function committedPositions(
  { log, acceptTopics, dropInputs }: Pick<RecoveryInput, 'log' | 'acceptTopics' | 'dropInputs'>,
  committed: ReadonlyMap<string, CommittedPosition>,
): Promise<Positions> {
  const positions = new Map<string, Position>()
  const { inputs } = log
  for (const topic of inputs.topics) {
    const known =
      dropInputs.has(topic) && isAnother(inputs, topic, committed.get(topic)) ? undefined : committed.get(topic)
    checkTopicIdentity(inputs, topic, known, acceptTopics)
    positions.set(topic, await stillThere(log, topic, known?.position ?? null))
  }
  return positions
}

async function startPositions(
  { log, startMode }: Pick<RecoveryInput, 'log' | 'startMode'>,
  committed: ReadonlyMap<string, CommittedPosition>,
): Promise<Positions> {
  const positions = new Map<string, Position>()
  for (const topic of log.inputs.topics) {
    // What came after the job had begun was never skipped by its start mode.
    const mode = (await log.inputs.discovered(topic)) ? earliest : startMode(topic)
    // Offsets that another consumer of the group has committed count as committed offsets.
    positions.set(topic, committed.get(topic)?.position ?? (await startPosition(log, topic, mode)))
  }
  return positions
}

/** What the request lists; what it does not, because it is new since then or was to begin there, at earliest. */
async function requestedPositions(log: TaskLog, { request }: ControlRecord): Promise<Positions> {
  const positions = new Map<string, Position>()
  for (const topic of log.inputs.topics) {
    const asked = request.topicIds.get(topic)
    const isSame = asked === undefined || asked === (log.inputs.topicId(topic) ?? asked)
    const listed = isSame ? request.positions.get(topic)?.[log.partition] : undefined
    const position = listed === undefined ? null : readPosition(log.inputs.format, topic, listed)
    positions.set(topic, await stillThere(log, topic, position))
  }
  return positions
}

/** What the commit record says of the followers; nothing where the job had none. */
function progressOf({ changelog }: CommitTraces, metadata: CommitMetadata): FollowersProgress {
  if (metadata.followerBaseMicros === null) return new Map()
  const record = changelog.commit
  if (record !== null && sameCheckpoint(record.commit, metadata)) return record.followers ?? new Map()
  throw new TidemarkError(
    'corrupt-store',
    `The changelog has no record of the last commit (epoch ${String(metadata.epoch)}), which says what was sent to the job's targets`,
  )
}

async function beginAnew(input: RecoveryInput, { committed }: CommitTraces): Promise<Recovered> {
  const written = await input.followers.newest()
  if (written !== null) throw commitsGone(input, written)
  const lineage = { lineage: input.random.hex(16), generation: 0 }
  const positions = await startPositions(input, committed)
  return beginLineage(input, lineage, positions, [], await input.followers.adopt(new Map()))
}

async function beginControlled(input: RecoveryInput, control: ControlRecord, traces: CommitTraces): Promise<Recovered> {
  const { lineage, generation, request } = control
  const positions = await requestedPositions(input.log, control)
  const last = traces.changelog.commit
  const logged = await input.followers.adopt(last?.followers ?? new Map())
  const followers = await input.followers.drain(logged, last?.commit.epoch ?? 0, input.stopping)
  const earlier = [...commitsAmong(traces), await input.followers.newest()]
  const recovered = await beginLineage(input, { lineage, generation }, positions, earlier, followers)
  input.logger.info('The partition begins where the last reset has put it', {
    mode: request.mode,
    reset: request.id,
    epoch: recovered.metadata.epoch,
  })
  return recovered
}

/**
 * Commits positions before the first read, so that a crash skips nothing: as epoch 0, or as the epoch after the last one
 * that is known. The generation is new to this changelog, so that it begins with empty state.
 */
async function beginLineage(
  input: RecoveryInput,
  lineage: Lineage,
  positions: Positions,
  earlier: readonly (Pick<CommitMetadata, 'epoch' | 'followerBaseMicros'> | null)[],
  followers: FollowersProgress,
): Promise<Recovered> {
  const { log, random, records, partitionCounts } = input
  const { groupId, transactionalIdPrefix } = input.plan
  const known = earlier.filter((commit) => commit !== null)
  const bases = known.flatMap(({ followerBaseMicros }) => followerBaseMicros ?? [])
  const content = {
    version: 1,
    ...lineage,
    epoch: Math.max(-1, ...known.map(({ epoch }) => epoch)) + 1,
    nonce: random.hex(8),
    inputs: positions.size,
    partitionCounts: Object.fromEntries([...positions.keys()].map((topic) => [topic, partitionCounts.get(topic) ?? 0])),
    transactionalIdPrefix,
    followerBaseMicros: bases.length + followers.size > 0 ? Math.max(0, ...bases) : null,
    watermarkMs: null,
  } as const
  const topics = new Map([...positions.keys()].map((topic) => [topic, log.inputs.topicId(topic)]))
  const metadata = await commitPositions({
    transaction: log.commitLog.begin(),
    positions,
    commit: content,
    entries: [
      records.lineage({ ...lineage, groupId, topics }),
      records.commit({ groupId, positions: recordedPositions(log.inputs, positions), commit: content, followers }),
    ],
  })
  await input.state?.restore(log.changelog, metadata)
  return { metadata, positions, followers }
}

/** What a target has was committed, and nothing else tells of it: nobody knows which input it was. */
function commitsGone({ log, plan }: RecoveryInput, { epoch }: Pick<CommitMetadata, 'epoch'>): TidemarkError {
  const { partition, inputs } = log
  return new TidemarkError(
    'commit-metadata-lost',
    `A target has rows of this job up to epoch ${String(epoch)} of partition ${String(partition)} (${inputs.topics.join(', ')}), and nothing else tells of a commit by ${plan.groupId}: the log was removed or is another one. Going on would write rows again or skip some. Bring the log back, give a second deployment of the job file a name of its own with --job.name=<name>, or begin explicitly with --reset-offsets <earliest|latest|…>`,
    { details: { partition, epoch } },
  )
}
