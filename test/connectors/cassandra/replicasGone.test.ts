import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RowRequest } from '../../../src/tables/rowLookup.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { LookupClient, LookupOutcome } from '../../../src/core/ports/lookup.ts'
import { Outage } from '../../../src/core/outage.ts'
import { runLookup } from '../../support/lookupRun.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { realRows, type RealRows } from './realRows.ts'

const keyspace = `replicas_${String(process.pid)}`

describeWithServers('a Cassandra whose node is alive, without the replicas for a read', ['cassandra'], (servers) => {
  let direct: RealRows
  let quorum: RealRows
  const replicas = (count: number): Promise<readonly string[]> =>
    direct.query(
      `ALTER KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${String(count)}}`,
    )
  const item = (sku: number): RowRequest => ({ keyspace, tableName: 'items', pk: sku })
  const client = (): LookupClient<number, string> => {
    const shown = (outcome: LookupOutcome<unknown>): LookupOutcome<string> =>
      outcome.kind === 'hit' ? { kind: 'hit', result: 'a row' } : outcome
    return {
      name: 'cassandra',
      hasTurns: true,
      lookup: async (value, turn) => shown(await quorum.rows.lookup(item(value), turn)),
      lookupMany: async (values, turn) => (await quorum.rows.lookupMany(values.map(item), turn)).map(shown),
      probe: () => quorum.rows.probe(),
    }
  }

  beforeAll(async () => {
    const { contactPoints, datacenter: localDatacenter } = servers.cassandra()
    const options = { localDatacenter, requestTimeoutMs: 30_000 }
    direct = realRows(contactPoints, { ...options, consistency: 'ONE' })
    quorum = realRows(contactPoints, { ...options, consistency: 'QUORUM' })
    await direct.rows.connect()
    await quorum.rows.connect()
    await direct.query(
      `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    )
    await direct.query(`CREATE TABLE ${keyspace}.items (sku int PRIMARY KEY, name text)`)
    for (let sku = 0; sku < 10; sku += 1) {
      await direct.query(`INSERT INTO ${keyspace}.items (sku, name) VALUES (${String(sku)}, 'item')`)
    }
  })
  afterAll(async () => {
    await direct.query(`DROP KEYSPACE IF EXISTS ${keyspace}`)
    await direct.rows.close()
    await quorum.rows.close()
  })

  test.each(['off', 'auto'] as const)(
    'is an outage of the lookups, ended by a probe that reads as they do, and makes no dead letters (batch %s)',
    async (batch) => {
      await replicas(3)
      await expect
        .poll(async () => (await quorum.rows.lookup(item(1))).kind, { timeout: 10_000, interval: 100 })
        .toBe('error')
      expect(await quorum.rows.lookup(item(1))).toMatchObject({
        unavailable: true,
        error: { retriable: true, message: expect.stringMatching(/Not enough replicas/) as string },
      })
      const run = runLookup(client(), { batch, timeoutMs: 1_500 }, { clock: systemClock })
      run.push(...Array.from({ length: 10 }, (_, sku) => sku))
      await expect.poll(() => run.end.error, { timeout: 15_000 }).toBeInstanceOf(Outage)
      expect([run.codes(), run.outputs]).toEqual([[], []])
      const { probe } = run.end.error as Outage
      await expect(probe()).rejects.toThrow('Not enough replicas')
      await replicas(1)
      const answers = (): Promise<boolean> =>
        probe().then(
          () => true,
          () => false,
        )
      await expect.poll(answers, { timeout: 10_000, interval: 100 }).toBe(true)
      const again = runLookup(client(), { batch }, { clock: systemClock })
      again.push(...Array.from({ length: 12 }, (_, sku) => sku))
      await expect.poll(() => again.outputs.length, { timeout: 10_000 }).toBe(12)
      expect([again.codes(), again.statistics.hits, again.statistics.misses]).toEqual([[], 10, 2])
    },
    60_000,
  )
})
