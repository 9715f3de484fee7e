import { lookupTimeoutMs, type FaultedJob } from './faultRun.ts'

/** jobs/reconcile.ts as it stands; half of the keys have a row, one message in fifty is no JSON. */
export function reconcileUnderFaults({ rateLimit = 200 } = {}): FaultedJob {
  return {
    file: 'jobs/reconcile.ts',
    groupId: 'reconcile-group',
    input: 'input-topic',
    outputs: ['reconcile', 'reconcile-dlq'],
    message: (id, n) => ({
      key: id,
      value:
        n % 50 === 0
          ? `bad ${id}`
          : `{"keyspace":"ks","tableName":"items","pk":${String(n % 1_000)},"payload":{"name":"item ${String(n)}"}}`,
    }),
    settings: {
      // Slow enough that every fault finds work, and little enough inside that an epoch still ends soon.
      'reconcile.rate.limit': rateLimit,
      'reconcile.capacity': 50,
      'reconcile.lookup.timeout.ms': lookupTimeoutMs,
    },
  }
}
