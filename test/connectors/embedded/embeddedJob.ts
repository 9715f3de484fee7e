import { EmbeddedJobLog } from '../../../src/connectors/embedded/log/embeddedJobLog.ts'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { defaultReadAhead, type ReadAhead } from '../../../src/core/pagedReader.ts'
import type { JobLog, JobLogSpec, TaskListener } from '../../../src/core/ports/jobLog.ts'
import type { TaskLog } from '../../../src/core/ports/taskLog.ts'

export function jobLogSpec(topics: readonly string[], part: Partial<JobLogSpec> = {}): JobLogSpec {
  return {
    job: 'job',
    group: 'source',
    groupId: 'group',
    inputs: [{ kind: 'topics', topics }],
    outputs: [],
    transactionalIdPrefix: 'job',
    copartitioned: false,
    ...part,
  }
}

/** Opens a job's log, joins, and returns its tasks. */
export async function joinJob(
  store: EmbeddedStore,
  spec: JobLogSpec,
  readAhead: ReadAhead = defaultReadAhead,
): Promise<{ readonly log: EmbeddedJobLog; readonly tasks: readonly TaskLog[] }> {
  const log = await EmbeddedJobLog.open(store, spec, readAhead)
  return { log, tasks: await tasksOf(log) }
}

export async function joinTask(
  store: EmbeddedStore,
  spec: JobLogSpec,
  partition = 0,
  readAhead: ReadAhead = defaultReadAhead,
): Promise<TaskLog> {
  return taskOf(await EmbeddedJobLog.open(store, spec, readAhead), partition)
}

/** Joins, and returns one task. */
export async function taskOf(log: JobLog, partition: number): Promise<TaskLog> {
  const task = (await tasksOf(log))[partition]
  if (task === undefined) throw new Error(`There is no task ${String(partition)}`)
  return task
}

async function tasksOf(log: JobLog): Promise<readonly TaskLog[]> {
  const tasks: TaskLog[] = []
  const listener: TaskListener = {
    assigned: (task) => {
      tasks.push(task)
    },
    rebalancing: () => Promise.resolve(),
    revoked: () => Promise.resolve(),
    failed: (error) => {
      throw error
    },
  }
  await log.join(listener)
  return tasks
}
