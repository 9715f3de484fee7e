import { errors } from 'cassandra-driver'
import { describe, expect, test } from 'vitest'
import type { RowRequest } from '../../../src/tables/rowLookup.ts'
import { CassandraRowLookup } from '../../../src/connectors/cassandra/lookup/cassandraRowLookup.ts'
import type { CqlRequest, CqlResponse } from '../../../src/connectors/cassandra/client/cqlSession.ts'
import { sleep } from '../../../src/core/ports/clock.ts'
import type { LookupClient, LookupOutcome, LookupTurn } from '../../../src/core/ports/lookup.ts'
import { Outage } from '../../../src/core/outage.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { TestLogger } from '../../../src/testing/kit/testLogger.ts'
import { runLookup, type LookupRun } from '../../support/lookupRun.ts'
import { FakeCassandra, invalidRequest, overloaded } from './fakeCassandra.ts'

const requestTimeoutMs = 2_000

/** Each row is a partition of its own with a decimal in its key, so nothing of a group is read together. */
const amounts = {
  keyspace: 'shop',
  table: 'amounts',
  columns: { id: 'int', amount: 'decimal' },
  primaryKey: [['id'], ['amount']],
  rows: [],
}
const items = { keyspace: 'shop', table: 'items', columns: { sku: 'int' }, primaryKey: [['sku'], []], rows: [] }

/** A cluster that takes its time for rows, and whose driver gives up waiting as the real one does. */
class SlowCassandra extends FakeCassandra {
  readonly clock = new ManualClock()
  rowMs = 0
  /** Answers nothing at all. */
  silent = false
  rowsInFlight = 0
  mostRowsInFlight = 0

  override async execute(request: CqlRequest): Promise<CqlResponse> {
    if (this.silent) {
      this.requests.push(request)
      await sleep(this.clock, requestTimeoutMs)
      throw new errors.OperationTimedOutError('the node says nothing')
    }
    if (request.route === undefined || this.rowMs === 0) return super.execute(request)
    this.rowsInFlight += 1
    this.mostRowsInFlight = Math.max(this.mostRowsInFlight, this.rowsInFlight)
    const [answer] = await Promise.allSettled([super.execute(request), sleep(this.clock, this.rowMs)])
    this.rowsInFlight -= 1
    if (answer.status === 'rejected') throw answer.reason
    return answer.value
  }
}

interface Harness {
  readonly cluster: SlowCassandra
  readonly rows: CassandraRowLookup
}

function open(maxInFlight: number): Harness {
  const cluster = new SlowCassandra([amounts, items])
  const limits = { maxInFlight, maxTables: 200, requestTimeoutMs }
  return { cluster, rows: new CassandraRowLookup(cluster, limits, cluster.clock, new TestLogger()) }
}

const amount = (id: number): RowRequest => ({
  keyspace: 'shop',
  tableName: 'amounts',
  primaryKey: { id, amount: '1.0' },
})
const item = (sku: number): RowRequest => ({ keyspace: 'shop', tableName: 'items', pk: sku })

/** Numbers as `runLookup` has them, each a row of a table. */
function numbered(rows: CassandraRowLookup, requestOf: (value: number) => RowRequest): LookupClient<number, string> {
  const shown = (outcome: LookupOutcome<unknown>): LookupOutcome<string> =>
    outcome.kind === 'hit' ? { kind: 'hit', result: 'a row' } : outcome
  return {
    name: rows.name,
    hasTurns: rows.hasTurns,
    lookup: async (value, turn) => shown(await rows.lookup(requestOf(value), turn)),
    lookupMany: async (values, turn) => (await rows.lookupMany(values.map(requestOf), turn)).map(shown),
    probe: () => rows.probe(),
  }
}

function push(run: LookupRun, count: number): void {
  run.push(...Array.from({ length: count }, (_, value) => value))
}

async function passTime(run: LookupRun, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 100) await run.clock.advance(100)
}

const figure = ({ rows }: Harness, name: string): number | undefined =>
  rows.figures().find((one) => one.name === `cassandra_${name}`)?.value

describe('lookups in an overloaded Cassandra', () => {
  test.each([
    ['groups', 'auto', 1_000],
    ['single requests', 'off', 400],
  ] as const)(
    'in %s, far more than may be in flight and answered slowly, all end well at their first try',
    async (_, batch, count) => {
      const harness = open(16)
      const { cluster, rows } = harness
      cluster.rowMs = 400
      const client = numbered(rows, amount)
      const options = { capacity: 2_000, reads: 500, batch, timeoutMs: 5_000 } as const
      const run = runLookup(client, options, { clock: cluster.clock })
      push(run, count)
      // The last ones wait 10 s and 25 s, twice and five times their timeout.
      await passTime(run, (count / 16) * 400 + 1_000)
      expect([run.outputs.length, run.codes(), run.end.error]).toEqual([count, [], undefined])
      expect(run.statistics).toMatchObject({ lookups: count, misses: count, retries: 0, timeouts: 0, outages: 0 })
      expect([cluster.reads.length, cluster.mostRowsInFlight]).toEqual([count, 16])
      expect([figure(harness, 'failures'), figure(harness, 'in_flight'), figure(harness, 'waiting')]).toEqual([0, 0, 0])
    },
  )

  test('that refuses to read by IN are read one by one without a timeout, however many that is', async () => {
    const { cluster, rows } = open(4)
    cluster.rowMs = 500
    cluster.behave = ({ cql }) => (cql.endsWith(' IN ?') ? { error: invalidRequest('guardrail') } : undefined)
    const run = runLookup(numbered(rows, item), { capacity: 500, timeoutMs: 3_000 }, { clock: cluster.clock })
    push(run, 100)
    await passTime(run, 20_000)
    expect([run.outputs.length, run.codes()]).toEqual([100, []])
    expect(run.statistics).toMatchObject({ requests: 1, retries: 0, timeouts: 0 })
  })

  test('of which some are refused are tried again, and no wait makes a dead letter of them', async () => {
    const { cluster, rows } = open(4)
    cluster.rowMs = 300
    let refusals = 0
    cluster.behave = ({ route }) => {
      if (route === undefined || refusals >= 60) return undefined
      refusals += 1
      return { error: overloaded() }
    }
    const run = runLookup(numbered(rows, amount), { capacity: 500, timeoutMs: 2_000 }, { clock: cluster.clock })
    push(run, 200)
    await passTime(run, 60_000)
    expect([run.outputs.length, run.codes()]).toEqual([200, []])
    // What waits for its turn has the system probed, by reads that are refused as well.
    expect(run.statistics).toMatchObject({ timeouts: 0, outages: 0 })
    expect([refusals, run.statistics.retries > 30]).toEqual([60, true])
  })

  test('that falls silent with most requests unsent are an outage, and nothing is a dead letter', async () => {
    const { cluster, rows } = open(16)
    await rows.lookup(amount(0))
    cluster.silent = true
    const run = runLookup(numbered(rows, amount), { capacity: 2_000, timeoutMs: 5_000 }, { clock: cluster.clock })
    push(run, 1_000)
    await passTime(run, 10_100)
    expect(run.end.error).toBeInstanceOf(Outage)
    expect(run.codes()).toEqual([])
    // Four rounds of 16, one more of those whose time was over once, and each second at most five reads that ask whether
    // anything is answered.
    expect(cluster.reads.length).toBeLessThanOrEqual(5 * 16 + 10 * 5)
  })

  test('that were given up are not sent, so that those that come after an outage are not kept waiting', async () => {
    const harness = open(4)
    const { cluster, rows } = harness
    await rows.lookup(amount(0))
    cluster.silent = true
    const client = numbered(rows, amount)
    const before = runLookup(client, { capacity: 2_000 }, { clock: cluster.clock })
    push(before, 1_000)
    await passTime(before, 500)
    before.subscription.unsubscribe()
    cluster.silent = false
    const sent = cluster.reads.length
    const after = runLookup(client, { capacity: 2_000 }, { clock: cluster.clock })
    push(after, 8)
    // The four that are under way end by the driver's timeout.
    await passTime(after, requestTimeoutMs)
    expect([after.outputs.length, cluster.reads.length - sent]).toEqual([8, 8])
    expect([figure(harness, 'waiting'), before.statistics.abandoned]).toEqual([0, 0])
    // What was not sent has not failed either.
    expect(figure(harness, 'failures')).toBe(4)
  })
})

describe('requests beyond what may be in flight', () => {
  const turn = (events: string[], wanted = true): LookupTurn => ({
    wanted,
    begins: () => {
      events.push('begins')
    },
    waits: () => {
      events.push('waits')
    },
  })

  test('wait for their turn, however long', async () => {
    const harness = open(8)
    const { cluster, rows } = harness
    await rows.lookup(item(1))
    cluster.paused = true
    const all = Array.from({ length: 40 }, (_, at) => rows.lookup(item(at)))
    await cluster.clock.advance(60_000)
    expect([figure(harness, 'in_flight'), figure(harness, 'waiting')]).toEqual([8, 32])
    cluster.release()
    expect(new Set((await Promise.all(all)).map(({ kind }) => kind))).toEqual(new Set(['miss']))
    expect(cluster.mostInFlight).toBe(8)
    expect([figure(harness, 'in_flight'), figure(harness, 'waiting')]).toEqual([0, 0])
  })

  test('begin when the last one of a group is sent, and at once while there is room', async () => {
    const { cluster, rows } = open(2)
    await rows.lookup(amount(0))
    cluster.rowMs = 100
    const events: string[] = []
    const single = rows.lookup(amount(1), turn(events))
    expect(events).toEqual(['begins'])
    await cluster.clock.advance(100)
    await single
    events.length = 0
    const group = rows.lookupMany([1, 2, 3, 4, 5].map(amount), turn(events))
    await cluster.clock.advance(199)
    expect([events, cluster.reads.length]).toEqual([[], 6])
    await cluster.clock.advance(1)
    expect([events, cluster.reads.length]).toEqual([['begins'], 7])
    await cluster.clock.advance(100)
    expect((await group).map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'miss'))
  })

  test('are not sent when nobody waits for them any more', async () => {
    const { cluster, rows } = open(1)
    await rows.lookup(item(1))
    cluster.paused = true
    const first = rows.lookup(item(1))
    const events: string[] = []
    const stale = [rows.lookup(item(2), turn(events, false)), rows.lookupMany([item(3), item(4)], turn(events, false))]
    const last = rows.lookup(item(5))
    const sent = cluster.reads.length
    cluster.release()
    await first
    expect((await last).kind).toBe('miss')
    expect((await Promise.all(stale)).flat()).toMatchObject([
      { kind: 'error', error: { retriable: true } },
      { kind: 'error', error: { retriable: true } },
      { kind: 'error', error: { retriable: true } },
    ])
    expect([cluster.reads.length - sent, events]).toEqual([1, []])
  })
})
