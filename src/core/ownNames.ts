import type { TaskId } from './ports/task.ts'

/** A job as deployed, and the group of its tasks. */
type GroupOfJob = Pick<TaskId, 'job' | 'group'>

const changelogSuffix = '-changelog'
const controlSuffix = '-control'
const writeAheadSuffix = '-wal'

/** The internal topic that holds the changelogs of a group's tasks, one partition each. */
export function changelogTopicName({ job, group }: GroupOfJob): string {
  return `${job}-${group}${changelogSuffix}`
}

/** The internal topic that holds the write-ahead logs of a group's tasks, one partition each; of jobs with followers. */
export function writeAheadTopicName({ job, group }: GroupOfJob): string {
  return `${job}-${group}${writeAheadSuffix}`
}

/** The internal topic that holds a job's control record. */
export function controlTopicName({ job }: Pick<GroupOfJob, 'job'>): string {
  return `${job}${controlSuffix}`
}

/** Topics in which a job keeps what is its own: no sink writes there, and no pattern chooses them as inputs. */
export function ownTopicsOf(owner: GroupOfJob): ReadonlySet<string> {
  return new Set([changelogTopicName(owner), writeAheadTopicName(owner), controlTopicName(owner)])
}

/** Of these topics the changelogs, and what else the jobs that have one keep: anything may be called a control or a wal. */
export function internalTopicsAmong(names: readonly string[]): ReadonlySet<string> {
  const changelogs = names.filter((name) => name.endsWith(changelogSuffix))
  const controls = names.filter((name) => {
    const job = name.slice(0, -controlSuffix.length)
    return name.endsWith(controlSuffix) && changelogs.some((changelog) => changelog.startsWith(`${job}-`))
  })
  const writeAhead = names.filter(
    (name) =>
      name.endsWith(writeAheadSuffix) &&
      changelogs.includes(`${name.slice(0, -writeAheadSuffix.length)}${changelogSuffix}`),
  )
  return new Set([...changelogs, ...writeAhead, ...controls])
}

/** Whose transactions a task's are: the same in every process, so that owning the id is owning the task. */
export function taskTransactionalId(prefix: string, { group, partition }: Omit<TaskId, 'job'>): string {
  return `${prefix}-${group}-${String(partition)}`
}

/** By whom the control record is replaced: whoever takes the id over last is the only one who can. */
export function controlTransactionalId(prefix: string): string {
  return `${prefix}-control`
}
