import { createHash } from 'node:crypto'
import { lookupTimeoutMs, type FaultedJob } from './faultRun.ts'
import { tableRows } from './faultServers.ts'
import type { SeenOutput } from './outputs.ts'

const refusedEach = 50
const keys = 1_000

/** jobs/reconcile.ts as it stands; half of the keys have a row, one message in fifty is no JSON. */
export function reconcileUnderFaults({ rateLimit = 50 } = {}): FaultedJob {
  return {
    file: 'jobs/reconcile.ts',
    groupId: 'reconcile-group',
    input: 'input-topic',
    outputs: ['reconcile', 'reconcile-dlq'],
    message: (id, n) => ({ key: id, value: messageText(id, n) }),
    expected: (output) =>
      wrongReconciliation(output, { input: 'input-topic', results: 'reconcile', refused: 'reconcile-dlq' }),
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
    expected: (output) => wrongReconciliation(output, { input: 'twin-input', results: 'twin', refused: 'twin-dlq' }),
    settings: {
      ...job.settings,
      'reconcile.group': 'twin',
      'reconcile.transactional.id.prefix': 'reconcile-tx',
      'reconcile.input.topic': 'twin-input',
      'reconcile.output.topic': 'twin',
      'reconcile.dlq.topic': 'twin-dlq',
    },
  }
}

function messageText(id: string, n: number): string {
  if (n % refusedEach === 0) return `bad ${id}`
  return `{"keyspace":"ks","tableName":"items","pk":${String(n % keys)},"payload":{"name":"item ${String(n)}"}}`
}

/**
 * What message `<partition>:<offset>` must lead to, worked out by hand from docs/reconcile.md: nothing of the job's own code
 * stands in here, so that a hash, an action or a row that is wrong in each of its runs shows as well.
 */
export function wrongReconciliation(
  output: SeenOutput,
  topics: { readonly input: string; readonly results: string; readonly refused: string },
): string | null {
  const { topic, key, value, headers, timestamp } = output
  const [partition = '', offset = ''] = key.split(':')
  const n = Number(offset)
  const wrong = (what: string): string => `${key} in ${topic}: ${what}: ${value} (${headers})`
  if (n % refusedEach === 0) {
    if (topic !== topics.refused) return wrong('it is no JSON, so it is a dead letter')
    const source = { 'error-code': 'malformed-json', 'source-topic': topics.input, 'source-partition': partition }
    for (const [name, content] of Object.entries({ ...source, 'source-offset': offset })) {
      if (!headers.split(',').includes(`${name}:${content}`)) return wrong(`its header ${name} is not ${content}`)
    }
    const { originalMessage } = JSON.parse(value) as { readonly originalMessage: unknown }
    return originalMessage === messageText(key, n) ? null : wrong('its message is another one')
  }
  if (topic !== topics.results) return wrong('it is no dead letter')
  const id = n % keys
  const row = id < tableRows ? `{"id":${String(id)},"name":"item ${String(id)}"}` : null
  const action = row === null ? 'INSERT' : id === n ? 'NONE' : 'UPDATE'
  const hash = sha256(messageText(key, n))
  const rowHash = row === null ? 'null' : `"${sha256(row)}"`
  const right = `{"pk":${String(id)},"hash":"${hash}","cass_hash":${rowHash},"payload":${row ?? 'null'},"ts":${String(timestamp)},"action":"${action}"}`
  return value === right ? null : wrong(`it should be ${right}`)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex').toUpperCase()
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
