import type { Guarantee } from '../../../src/core/ports/outputs.ts'
import { api } from './framedProxy.ts'
import type { FaultedJob, FaultRun } from './faultRun.ts'
import type { FaultServers } from './faultServers.ts'
import { reconcileUnderFaults, wrongReconciliation } from './reconcileFaults.ts'
import type { Worker } from './worker.ts'

const files: Readonly<Record<Guarantee, string>> = {
  'exactly-once': 'jobs/reconcile.ts',
  'at-least-once': 'test/support/jobs/reconcileAtLeastOnce.ts',
  none: 'test/support/jobs/reconcileNone.ts',
}

/** jobs/reconcile.ts with this guarantee for results and dead letters, and topics and a group of its own. */
export function reconcileWith(guarantee: Guarantee): FaultedJob {
  const job = reconcileUnderFaults()
  const own = (name: string): string => `${name}-${guarantee}`
  const [results = '', refused = ''] = job.outputs.map(own)
  return {
    ...job,
    file: files[guarantee],
    groupId: own(job.groupId),
    input: own(job.input),
    outputs: [results, refused],
    expected: (output) => wrongReconciliation(output, { input: own(job.input), results, refused }),
    settings: {
      ...job.settings,
      'reconcile.group': own(job.groupId),
      'reconcile.input.topic': own(job.input),
      'reconcile.output.topic': results,
      'reconcile.dlq.topic': refused,
    },
  }
}

/**
 * Loses what the worker sends to its topics, on the way to the broker, while it commits; kills it when it has committed so
 * many messages more. Resolves with what was committed when it was dead.
 */
export async function loseSendsAndKill(
  run: FaultRun,
  { kafkaProxy }: FaultServers,
  worker: Worker,
  messages: number,
): Promise<readonly number[]> {
  const before = await run.committedTotal()
  const end = kafkaProxy.watch(worker.name, {
    // What it commits is in transactions, its changelog included.
    onRequest: ({ apiKey, transactional }) => (apiKey === api.produce && !transactional ? 'drop' : 'pass'),
  })
  await run.until(
    'commits go on without their sends',
    async () => (await run.committedTotal()) >= before + messages,
    30_000,
  )
  worker.kill9()
  await worker.ended
  end()
  return run.committed()
}
