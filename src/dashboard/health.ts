import type { JobMetrics } from '../runtime/metrics/jobMetrics.ts'
import { plainReply, type Reply } from './snapshots.ts'

/** 200 while the process is alive and nothing has failed for good: no task, and no store that it stands on. */
export function health({ phase, failure, tasks }: JobMetrics): Reply {
  const failed = tasks.find(({ state }) => state === 'failed')
  if (phase !== 'failed' && failure === null && failed === undefined) return plainReply(200, 'ok')
  const code = failure?.code ?? failed?.trouble?.code ?? 'failed'
  return plainReply(503, failed === undefined ? code : `${code} (partition ${String(failed.partition)})`)
}

/** A task that is replayed commits sooner than this. */
const troubledMs = 5_000

/**
 * 200 once the source group is joined and every task has recovered; not while a task can commit nothing for some time. A
 * looked-up system that does not answer is waited for, and no such trouble.
 */
export function readiness({ phase, failure, tasks }: JobMetrics): Reply {
  if (failure !== null) return plainReply(503, failure.code)
  if (phase !== 'running') return plainReply(503, phase)
  for (const { partition, trouble, troubledMs: forMs } of tasks) {
    if (trouble?.kind === 'epoch' && forMs >= troubledMs)
      return plainReply(503, `${trouble.code} (partition ${String(partition)})`)
  }
  const recovering = tasks.filter(({ state }) => state === 'recovering').length
  return recovering === 0 ? plainReply(200, 'ok') : plainReply(503, `tasks recovering: ${String(recovering)}`)
}
