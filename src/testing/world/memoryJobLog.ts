import type { ControlRecord } from '../../core/controlRecord.ts'
import { InputWatch } from '../../core/inputWatch.ts'
import {
  changelogTopicName,
  controlTransactionalId,
  taskTransactionalId,
  writeAheadTopicName,
} from '../../core/ownNames.ts'
import type { JobLog, JobLogSpec, TaskListener } from '../../core/ports/jobLog.ts'
import { noTopicMatches, unknownTopic } from '../../core/topicErrors.ts'
import { checkCopartitioned, checkUnchanged, selectInputs, tasksOf, topicsOfTask } from '../../core/topicSelection.ts'
import type { MemoryGroup, MemoryGroupOptions } from './memoryGroup.ts'
import type { MemoryLog } from './memoryLog.ts'
import type { GroupTaskLog } from './memoryRoster.ts'
import { memoryTaskLog } from './memoryTaskLog.ts'
import { once, type TestProcess } from './testProcess.ts'

/** Where a process stands among those that run the same job; absent, it has all tasks to itself. */
export interface MemoryMembership {
  readonly name: string
  /** How often it looks for new topics and partitions, and for those that are gone, in ms; absent: never. */
  readonly discoveryMs?: number
  /** The job's group, made by the first one that asks. */
  group(inputs: MemoryGroupOptions['inputs']): MemoryGroup
}

/**
 * A process's membership in a job's source group. Without a group it is given all tasks that there are now, and several such
 * processes fence each other.
 *
 * @throws `unknown-topic` when an input does not exist, `invalid-plan` when inputs that belong together have different counts.
 */
export async function openMemoryJobLog(
  log: MemoryLog,
  spec: JobLogSpec,
  process: TestProcess,
  membership: MemoryMembership | null = null,
): Promise<JobLog> {
  const found = await process.call('log.open', () => inputsIn(log, spec))
  if (spec.copartitioned) checkCopartitioned(found)
  const partitionCounts = new Map(found)
  const changelog = changelogTopicName(spec)
  let listener: TaskListener | null = null
  let watch: InputWatch | null = null
  const open = (partition: number, topics: readonly string[]): GroupTaskLog => {
    const transactionalIdUnder = (prefix: string): string =>
      taskTransactionalId(prefix, { group: spec.group, partition })
    const task = {
      groupId: spec.groupId,
      partition,
      transactionalId: transactionalIdUnder(spec.transactionalIdPrefix),
      transactionalIdUnder,
      changelog,
      writeAheadLog: writeAheadTopicName(spec),
    }
    return memoryTaskLog({ log, process, task }, topics, (topic) => watch?.isMissing(topic) ?? false)
  }
  let left = false
  const whole = {
    partitionCounts,
    tasks: () =>
      Array.from({ length: tasksOf(partitionCounts) }, (_, partition) =>
        open(partition, topicsOfTask(partitionCounts, partition)),
      ),
    control: () => process.call('log.control', () => log.control(spec.job)),
    replaceControl: (next: (current: ControlRecord | null) => Promise<ControlRecord>) =>
      replaceControl(log, spec, process, next),
  }
  await spec.admit?.({
    ...whole,
    changelogs: () => process.call('log.changelogs', () => log.changelogPartitions(changelog)),
  })
  ensureOwnLogs(log, spec, tasksOf(partitionCounts))
  for (const output of spec.outputs) log.ensureTopic(output)
  const group = membership?.group(() => inputsToDeal(log, spec, found)) ?? null
  if (group !== null && membership?.discoveryMs !== undefined) {
    watch = new InputWatch({
      clock: process.clock,
      inputs: spec.inputs,
      intervalMs: membership.discoveryMs,
      look: async () => {
        const now = await process.call('log.inputs', () => inputsIn(log, spec))
        if (left) return
        if (spec.copartitioned) checkUnchanged(partitionCounts, now)
        group.follow(now)
      },
      failed: (failure) => listener?.failed(failure),
    })
  }
  const dealt = (inputs: ReadonlyMap<string, number>): void => {
    partitionCounts.clear()
    for (const [topic, count] of inputs) partitionCounts.set(topic, count)
  }
  const lastReset = (): string | null => log.control(spec.job)?.request.id ?? null
  return {
    ...whole,
    join: async (tasks) => {
      listener = tasks
      await process.call('log.join', () => undefined)
      if (group === null) for (const task of whole.tasks()) if (!left) tasks.assigned(task)
      if (group === null || membership === null || left) return
      await group.join({ name: membership.name, process, listener: tasks, dealt, lastReset, open })
      if (!left) watch?.begin()
    },
    settled: () => group?.settled(process) ?? Promise.resolve(),
    leave: async () => {
      left = true
      watch?.end()
      const leave = (): void => group?.leave(process)
      await process.call('log.leave', leave).catch(() => undefined)
    },
  }
}

/** Partition count by topic of everything that is selected now. */
function inputsIn(log: MemoryLog, spec: JobLogSpec): ReadonlyMap<string, number> {
  return selectInputs(spec, {
    partitions: (name) =>
      log.topicId(name) === null && spec.dropInputs?.includes(name) === true
        ? undefined
        : log.topic(name).partitions.length,
    names: log.topicNames,
    missing: (input) => (typeof input === 'string' ? unknownTopic(input) : noTopicMatches(input)),
  })
}

function ensureOwnLogs(log: MemoryLog, spec: JobLogSpec, tasks: number): void {
  log.ensureChangelog(changelogTopicName(spec), tasks)
  if (spec.follows === true) log.ensureWriteAheadLog(writeAheadTopicName(spec), tasks)
}

/** What the leader of a group finds when it deals the tasks out; each new task has a changelog from then on. */
function inputsToDeal(
  log: MemoryLog,
  spec: JobLogSpec,
  opened: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> | null {
  try {
    const found = inputsIn(log, spec)
    // Each process finds that out by itself, and stops.
    if (spec.copartitioned) checkUnchanged(opened, found)
    ensureOwnLogs(log, spec, tasksOf(found))
    return found
  } catch {
    // One of a list is gone, or the last of a pattern: that stops its tasks, and not the group.
    return null
  }
}

/** As in Kafka: whoever fences last replaces the record. */
async function replaceControl(
  log: MemoryLog,
  { job, transactionalIdPrefix }: JobLogSpec,
  process: TestProcess,
  next: (current: ControlRecord | null) => Promise<ControlRecord>,
): Promise<ControlRecord> {
  const owner = { transactionalId: controlTransactionalId(transactionalIdPrefix) }
  const fence = once(() => log.fence(owner))
  const token = await process.call('log.fenceControl', fence)
  const record = await next(await process.call('log.control', () => log.control(job)))
  await process.call('log.setControl', () => {
    log.setControl(job, owner, token, record)
  })
  return record
}
