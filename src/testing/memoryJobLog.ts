import type { ControlRecord } from '../core/controlRecord.ts'
import { TidemarkError } from '../core/errors.ts'
import type { JobLog, JobLogSpec, TopicSelection } from '../core/jobLog.ts'
import type { MemoryGroup } from './memoryGroup.ts'
import type { MemoryLog } from './memoryLog.ts'
import { MemoryTaskLog } from './memoryTaskLog.ts'
import type { MemoryTopic } from './memoryTopic.ts'
import type { TestProcess } from './testProcess.ts'

/** Where a process stands among those that run the same job; absent, it has all tasks to itself. */
export interface MemoryMembership {
  readonly name: string
  /** The job's group, made when its partitions are known. */
  group(partitions: number): MemoryGroup
}

/**
 * A process's membership in a job's source group. Without a group it is given all tasks, and several such processes fence
 * each other.
 *
 * @throws `unknown-topic` when an input does not exist.
 */
export async function openMemoryJobLog(
  log: MemoryLog,
  spec: JobLogSpec,
  process: TestProcess,
  membership: MemoryMembership | null = null,
): Promise<JobLog> {
  const inputs = await process.call('log.open', () => select(log, spec.inputs, new Set(spec.dropInputs)))
  const tasks = Math.max(...inputs.map(({ partitions }) => partitions.length))
  const changelog = `${spec.job}-${spec.group}-changelog`
  const open = (partition: number): MemoryTaskLog => {
    const transactionalIdUnder = (prefix: string): string => `${prefix}-${spec.group}-${String(partition)}`
    const identity = {
      groupId: spec.groupId,
      partition,
      transactionalId: transactionalIdUnder(spec.transactionalIdPrefix),
      transactionalIdUnder,
      changelog,
    }
    const topics = inputs.filter(({ partitions }) => partition < partitions.length)
    return new MemoryTaskLog(log, process, identity, topics)
  }
  let left = false
  const partitionCounts = new Map(inputs.map(({ name, partitions }) => [name, partitions.length]))
  const whole = {
    partitionCounts,
    tasks: () => Array.from({ length: tasks }, (_, partition) => open(partition)),
    control: () => process.call('log.control', () => log.control(spec.job)),
    replaceControl: (next: (current: ControlRecord | null) => Promise<ControlRecord>) =>
      replaceControl(log, spec, process, next),
  }
  await spec.admit?.({
    ...whole,
    changelogs: () => process.call('log.changelogs', () => log.changelogPartitions(changelog)),
  })
  log.ensureChangelog(changelog, tasks)
  for (const output of spec.outputs) log.ensureTopic(output)
  if (membership !== null) {
    const group = membership.group(tasks)
    const { name } = membership
    return {
      ...whole,
      join: async (listener) => {
        await process.call('log.join', () => undefined)
        if (!left) await group.join({ name, process, listener, open })
      },
      settled: () => group.settled(process),
      leave: () => {
        left = true
        return process
          .call('log.leave', () => {
            group.leave(process)
          })
          .catch(() => undefined)
      },
    }
  }
  return {
    ...whole,
    join: (listener) =>
      process.call('log.join', () => {
        for (let partition = 0; partition < tasks && !left; partition += 1) listener.assigned(open(partition))
      }),
    leave: () => {
      left = true
      return process.call('log.leave', () => undefined)
    },
  }
}

/** As in Kafka: whoever fences last replaces the record. */
async function replaceControl(
  log: MemoryLog,
  { job, transactionalIdPrefix }: JobLogSpec,
  process: TestProcess,
  next: (current: ControlRecord | null) => Promise<ControlRecord>,
): Promise<ControlRecord> {
  const owner = { transactionalId: `${transactionalIdPrefix}-control` }
  let fenced: number | null = null
  // A request that arrives twice is one fence.
  const token = await process.call('log.fenceControl', () => (fenced ??= log.fence(owner)))
  const record = await next(await process.call('log.control', () => log.control(job)))
  await process.call('log.setControl', () => {
    log.setControl(job, owner, token, record)
  })
  return record
}

function select(log: MemoryLog, selections: readonly TopicSelection[], mayMiss: ReadonlySet<string>): MemoryTopic[] {
  const names = new Set<string>()
  for (const selection of selections) {
    if (selection.kind === 'topics') {
      for (const name of selection.topics) if (!mayMiss.has(name) || log.topicId(name) !== null) names.add(name)
    } else for (const name of log.topicNames) if (name.search(selection.pattern) >= 0) names.add(name)
  }
  if (names.size === 0) throw new TidemarkError('unknown-topic', 'No topic matches what the job reads.')
  return [...names].map((name) => log.topic(name))
}
