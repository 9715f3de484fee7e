import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LookupOutcome } from '../../../src/core/ports/lookup.ts'
import type { Row } from '../../../src/tables/row.ts'
import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import { startCassandra, type RunningCassandra } from '../../servers/cassandraServer.ts'
import { runCql } from '../../servers/cqlWire.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { realRows, type RealRows } from './realRows.ts'

const requestTimeoutMs = 1_000

describeWithServers('lookups while Cassandra fails', ['java'], () => {
  let cassandra: RunningCassandra
  let real: RealRows

  beforeAll(async () => {
    cassandra = await startCassandra()
    await runCql(cassandra.target, [
      "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      'CREATE TABLE shop.items (sku int PRIMARY KEY, name text)',
      ...Array.from({ length: 10 }, (_, at) => `INSERT INTO shop.items (sku, name) VALUES (${String(at)}, 'item')`),
    ])
    real = realRows(cassandra.address, { requestTimeoutMs, reconnectMaxDelayMs: 2_000 })
    await real.rows.connect()
  }, 300_000)

  afterAll(async () => {
    await real.rows.close()
    await cassandra.kill9()
  })

  interface Seen {
    readonly sku: number
    readonly outcome: LookupOutcome<Row>
    readonly ms: number
  }

  /** Looks up rows that are there (0–9) and rows that are not (10–19), singly and in groups, until it is told to stop. */
  function load(): { readonly seen: Seen[]; stop(): Promise<void> } {
    const seen: Seen[] = []
    let running = true
    const worker = async (first: number): Promise<void> => {
      for (let at = first; running; at += 1) {
        const skus = at % 3 === 0 ? [at % 20, (at + 7) % 20] : [at % 20]
        const startedMs = performance.now()
        const requests = skus.map((sku) => ({ keyspace: 'shop', tableName: 'items', pk: sku }))
        const outcomes =
          requests.length === 1 && requests[0] !== undefined
            ? [await real.rows.lookup(requests[0])]
            : await real.rows.lookupMany(requests)
        const ms = performance.now() - startedMs
        for (const [index, outcome] of outcomes.entries()) seen.push({ sku: skus[index] ?? -1, outcome, ms })
        await sleep(systemClock, outcomes[0]?.kind === 'error' ? 20 : 2)
      }
    }
    const workers = Array.from({ length: 20 }, (_, at) => worker(at))
    return {
      seen,
      async stop() {
        running = false
        await Promise.all(workers)
      },
    }
  }

  const answered = async (): Promise<boolean> =>
    (await real.rows.lookup({ keyspace: 'shop', tableName: 'items', pk: 1 })).kind === 'hit'
  const probed = (): Promise<boolean> =>
    real.rows.probe().then(
      () => true,
      () => false,
    )

  /** No outcome that is wrong: a row is never missing, and every failure may be tried again and came in time. */
  function check(seen: readonly Seen[]): { readonly failures: number } {
    const wrong = seen.filter(({ sku, outcome }) => {
      if (outcome.kind === 'error') return !outcome.error.retriable || outcome.error.code !== 'system-unreachable'
      return outcome.kind !== (sku < 10 ? 'hit' : 'miss')
    })
    expect(wrong).toEqual([])
    const failed = seen.filter(({ outcome }) => outcome.kind === 'error')
    // Asked for, and perhaps waiting for the schema's version first; never a multiple of nodes or retries.
    expect(Math.max(0, ...failed.map(({ ms }) => ms))).toBeLessThan(3 * requestTimeoutMs)
    return { failures: failed.length }
  }

  test('that is frozen are retriable until it thaws, and then answered again', async () => {
    const { seen, stop } = load()
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBeGreaterThan(200)
    cassandra.freeze()
    try {
      await expect.poll(probed, { timeout: 10_000, interval: 100 }).toBe(false)
      await sleep(systemClock, 3 * 5_000)
      expect(await probed()).toBe(false)
    } finally {
      cassandra.thaw()
    }
    const thawedMs = performance.now()
    await expect.poll(probed, { timeout: 10_000, interval: 50 }).toBe(true)
    await expect.poll(answered, { timeout: 10_000, interval: 50 }).toBe(true)
    // The longest delay between two tries to connect, and one that is under way.
    expect(performance.now() - thawedMs).toBeLessThan(8_000)
    await stop()
    expect(check(seen).failures).toBeGreaterThan(20)
  }, 60_000)

  test('that is killed and started again are retriable until it is back', async () => {
    const { seen, stop } = load()
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBeGreaterThan(200)
    await cassandra.kill9()
    expect(await probed()).toBe(false)
    await cassandra.restart()
    await expect.poll(answered, { timeout: 15_000, interval: 50 }).toBe(true)
    await expect.poll(probed, { timeout: 5_000, interval: 50 }).toBe(true)
    await stop()
    expect(check(seen).failures).toBeGreaterThan(20)
    // A statement that the server has forgotten is prepared anew by itself.
    expect(
      (await real.rows.lookupMany([0, 1, 15].map((sku) => ({ keyspace: 'shop', tableName: 'items', pk: sku })))).map(
        ({ kind }) => kind,
      ),
    ).toEqual(['hit', 'hit', 'miss'])
  }, 180_000)

  test('are over when the session is closed while Cassandra is gone', async () => {
    const other = realRows(cassandra.address, { requestTimeoutMs })
    await other.rows.connect()
    cassandra.freeze()
    try {
      const lookups = Array.from({ length: 50 }, (_, sku) =>
        other.rows.lookup({ keyspace: 'shop', tableName: 'items', pk: sku }),
      )
      await sleep(systemClock, 50)
      await other.rows.close()
      for (const outcome of await Promise.all(lookups))
        expect(outcome).toMatchObject({ kind: 'error', error: { retriable: true } })
    } finally {
      cassandra.thaw()
    }
  }, 20_000)
})
