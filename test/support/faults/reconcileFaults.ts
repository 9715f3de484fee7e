import { lookupTimeoutMs, type FaultedJob } from './faultRun.ts'
import type { SeenOutput } from './liveReader.ts'

const refusedEach = 50

/** jobs/reconcile.ts as it stands; half of the keys have a row, one message in fifty is no JSON. */
export function reconcileUnderFaults({ rateLimit = 50 } = {}): FaultedJob {
  return {
    file: 'jobs/reconcile.ts',
    groupId: 'reconcile-group',
    input: 'input-topic',
    outputs: ['reconcile', 'reconcile-dlq'],
    message: (id, n) => ({
      key: id,
      value:
        n % refusedEach === 0
          ? `bad ${id}`
          : `{"keyspace":"ks","tableName":"items","pk":${String(n % 1_000)},"payload":{"name":"item ${String(n)}"}}`,
    }),
    settings: {
      // Slow enough that every fault finds work, and little enough inside that an epoch still ends soon.
      'reconcile.rate.limit': rateLimit,
      'reconcile.capacity': 50,
      'reconcile.lookup.timeout.ms': lookupTimeoutMs,
      'cassandra.request.timeout.ms': lookupTimeoutMs * 0.6,
    },
    unlimited: { 'reconcile.rate.limit': 100_000, 'reconcile.capacity': 1_000 },
  }
}

/** Another job, with another group and other topics, that was given the transactional ids of the first one. */
export function twinUnderFaults(): FaultedJob {
  const job = reconcileUnderFaults()
  return {
    ...job,
    file: 'test/support/jobs/twin.ts',
    groupId: 'twin',
    input: 'twin-input',
    outputs: ['twin', 'twin-dlq'],
    settings: {
      ...job.settings,
      'reconcile.group': 'twin',
      'reconcile.input.topic': 'twin-input',
      'reconcile.output.topic': 'twin',
      'reconcile.dlq.topic': 'twin-dlq',
    },
  }
}

/** Messages that are no JSON: of those written by their names, of outputs those that are dead letters. Sorted. */
export function refusedMessages(of: readonly string[] | readonly SeenOutput[]): readonly string[] {
  return of
    .flatMap((one) => {
      if (typeof one !== 'string') return one.topic === 'reconcile-dlq' ? [one.key] : []
      return Number(one.split(':')[1]) % refusedEach === 0 ? [one] : []
    })
    .toSorted()
}
