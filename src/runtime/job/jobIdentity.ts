import type { ChangelogRecords } from '../../core/changelogRecords.ts'
import { sleep, type Clock } from '../../core/ports/clock.ts'
import { readCommitMetadata } from '../../core/commitMetadata.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { EarlierRuns, TaskView } from '../../core/ports/jobLog.ts'
import { commitOfNewestLineage, readChangelogTail, type ChangelogTail } from '../task/commitTraces.ts'

/** This deployment, as far as it tells it from another one. */
export interface Identity {
  /** The name under which it is deployed. */
  readonly job: string
  readonly groupId: string
  /** Whether it keeps state, which stands in the changelog of the name that it ran under. */
  readonly stateful: boolean
}

/** What ran under a job's name; a part that nobody has noted is null. */
interface Deployment {
  readonly groupId: string | null
  readonly topics: readonly string[] | null
}

/** Entries that are read of a changelog's end, until they tell: each commit ends with its record, aborted ones may follow. */
const windows = [8, 64, 512, 4_096]
/** Tasks whose changelogs are looked at; one that has begun is enough, and all of a job begin together. */
const mostTasks = 8
/** A commit's marker reaches the group's offsets and the changelog one after the other; nobody is refused for that. */
const markerMs = 5_000
const markerPollMs = 250

/**
 * Whether what ran under the job's name was this deployment: the same consumer group, and a topic in common. Nothing is made,
 * fenced or written, and little is read: the end of one task's changelog, and the job's control record.
 *
 * @throws TidemarkError `job-name-in-use` for another deployment's name; `commit-metadata-lost` where an earlier version has
 *   noted neither group nor topics, and this group has committed nothing, or where the group's commits are of a job with
 *   state under another name; `system-unreachable` where a commit's marker does not arrive in its changelog.
 */
export async function checkIdentity(
  earlier: EarlierRuns,
  own: Identity,
  { records, clock }: { readonly records: ChangelogRecords; readonly clock: Clock },
): Promise<void> {
  const tasks = earlier.tasks().slice(0, mostTasks)
  let ran = await lastDeployment(earlier, tasks, records)
  if (ran === null && own.stateful) {
    const prefix = await committedPrefix(tasks)
    if (prefix === null) return
    // The same tasks: they know what is committed now, and wait until their changelogs show it.
    ran = await soon(clock, () => lastDeployment(earlier, tasks, records))
    if (ran === null) throw renamed(own, prefix)
  }
  if (ran === null) return
  const topics = [...earlier.partitionCounts.keys()]
  if (ran.groupId === null) {
    if ((await soon(clock, () => committedPrefix(earlier.tasks()))) === null) throw ranUnnoted(own, topics)
    return
  }
  const inCommon = ran.topics === null || ran.topics.some((topic) => earlier.partitionCounts.has(topic))
  if (ran.groupId !== own.groupId || !inCommon) throw otherDeployment(own, topics, ran.groupId, ran.topics)
}

/** Null: nothing has ever run under the name, as far as can be told by looking. */
async function lastDeployment(
  earlier: EarlierRuns,
  tasks: readonly TaskView[],
  records: ChangelogRecords,
): Promise<Deployment | null> {
  const control = await earlier.control()
  const changelogs = await earlier.changelogs()
  for (const task of tasks.slice(0, changelogs)) {
    const found = await readEnd(task, records)
    const { lineage, generation, empty } = found
    const commit = commitOfNewestLineage(found)
    // A reset that this task has not begun with yet was asked for by the name's last owner.
    if (control !== null && control.generation > (generation ?? -1)) {
      return { groupId: control.request.groupId, topics: null }
    }
    if (commit !== null) return { groupId: commit.groupId, topics: [...commit.positions.keys()] }
    if (lineage?.groupId !== undefined) {
      return { groupId: lineage.groupId, topics: lineage.topics === undefined ? null : [...lineage.topics.keys()] }
    }
    if (!empty) return { groupId: null, topics: null }
  }
  return null
}

/** As much of a changelog's end as tells what ran, or as much as is looked at. */
async function readEnd(task: TaskView, records: ChangelogRecords): Promise<ChangelogTail> {
  const { start, end } = await task.changelog.range()
  let from = end
  let found = await readChangelogTail(task, records, from, end)
  for (const window of windows) {
    if (found.commit !== null || found.lineage !== null || from === start) break
    from = Math.max(start, end - window)
    found = await readChangelogTail(task, records, from, end)
  }
  return found
}

/** What can be found within the time that a marker takes; null: it cannot. */
async function soon<T>(clock: Clock, find: () => Promise<T | null>): Promise<T | null> {
  const until = clock.monotonicMs() + markerMs
  for (;;) {
    const found = await find()
    if (found !== null || clock.monotonicMs() >= until) return found
    await sleep(clock, markerPollMs)
  }
}

/** The transactional id prefix that this group's last commit names; null: it has committed nothing as a job. */
async function committedPrefix(tasks: readonly TaskView[]): Promise<string | null> {
  for (const task of tasks) {
    for (const { metadata } of (await task.commitLog.committed()).values()) {
      const commit = readCommitMetadata(metadata)
      if (commit !== null) return commit.transactionalIdPrefix
    }
  }
  return null
}

const remedies = (groupId: string): string =>
  `Two deployments need two names: give this one its own with --job.name=<name>. Or let it take the name over, with empty state, with --reset-offsets <earliest|latest|…>; what ran before must then run no more. Or, if it is to go on where that was, run it as group ${groupId} on its topics`

/** Both sides as they are, so that nobody has to guess which of them is meant. */
export function otherDeployment(
  { job, groupId }: Pick<Identity, 'job' | 'groupId'>,
  topics: readonly string[],
  theirGroup: string,
  theirTopics: readonly string[] | null,
): TidemarkError {
  const theirs = theirTopics === null ? '' : ` on ${listed(theirTopics)}`
  return new TidemarkError(
    'job-name-in-use',
    `Job '${job}' has run before as consumer group ${theirGroup}${theirs}, and this deployment is group ${groupId} on ${listed(topics)}${theirGroup === groupId ? ', with no topic in common' : ''}. ${remedies(theirGroup)}`,
    { details: { job, groupId: theirGroup } },
  )
}

/** The same, seen by one task: it was fenced in vain, and goes on with its owner. */
export function nameTaken(
  {
    partition,
    topics,
    groupId,
  }: { readonly partition: number; readonly topics: readonly string[]; readonly groupId: string },
  theirGroup: string,
): TidemarkError {
  return new TidemarkError(
    'job-name-in-use',
    `Partition ${String(partition)} of ${listed(topics)} was processed last by consumer group ${theirGroup}, under this job's name, and this deployment is group ${groupId}. ${remedies(theirGroup)}`,
    { details: { partition, groupId: theirGroup } },
  )
}

function ranUnnoted({ job, groupId }: Identity, topics: readonly string[]): TidemarkError {
  return new TidemarkError(
    'commit-metadata-lost',
    `Job '${job}' has run before: its changelog has records, of a version that noted neither consumer group nor topics. Group ${groupId} has committed nothing of ${listed(topics)} with this job: another group ran under the name, it read other topics, or its offsets have expired. If that was another deployment, give this one a name of its own with --job.name=<name>, or run it as the group that ran before. Else begin explicitly, with empty state, with --reset-offsets <earliest|latest|…>`,
    { details: { job, groupId } },
  )
}

function renamed({ job, groupId }: Identity, prefix: string): TidemarkError {
  return new TidemarkError(
    'commit-metadata-lost',
    `Job '${job}' has never run, and its consumer group ${groupId} has commits of a job with the transactional ids ${prefix}-…: it ran under another name, whose changelog has its state. Run it under that name again (--job.name=<name>), give this deployment a group of its own, or begin explicitly, with empty state, with --reset-offsets <earliest|latest|…>`,
    { details: { job, groupId } },
  )
}

function listed(topics: readonly string[]): string {
  return topics.length > 5
    ? `${topics.slice(0, 5).join(', ')} and ${String(topics.length - 5)} more`
    : topics.join(', ')
}
