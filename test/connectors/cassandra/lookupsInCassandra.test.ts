import { fc, test } from '@fast-check/vitest'
import { Client } from 'cassandra-driver'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest'
import type { RowRequest } from '../../../src/tables/rowLookup.ts'
import { requestedKey } from '../../../src/tables/rowLookup.ts'
import { TableReads } from '../../../src/connectors/cassandra/lookup/tableReads.ts'
import { cellsOf } from '../../../src/connectors/cassandra/protocol/rawCells.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { CqlProxy } from './cqlProxy.ts'
import { keyspaceStatement, realRows, type RealRows } from './realRows.ts'

const keyspace = `lookups_${String(process.pid)}`

describeWithServers('lookups in a real Cassandra', ['cassandra'], (servers) => {
  /** Past the proxy, for what a test does itself. */
  let direct: RealRows
  let proxy: CqlProxy
  let real: RealRows

  const open = (options: Parameters<typeof realRows>[1] = {}): RealRows => {
    const { datacenter } = servers.cassandra()
    return realRows(`127.0.0.1:${String(proxy.port)}`, {
      localDatacenter: datacenter,
      requestTimeoutMs: 20_000,
      ...options,
    })
  }
  const run = async (...statements: string[]): Promise<void> => {
    for (const cql of statements) await direct.query(cql)
  }

  beforeAll(async () => {
    const { contactPoints, datacenter } = servers.cassandra()
    direct = realRows(contactPoints, { localDatacenter: datacenter, requestTimeoutMs: 30_000 })
    await direct.rows.connect()
    await run(
      keyspaceStatement(keyspace),
      `CREATE TABLE ${keyspace}.users (user_id bigint, region text, name text, PRIMARY KEY (user_id, region))`,
      `CREATE TABLE ${keyspace}.items (sku int PRIMARY KEY, price decimal)`,
      `CREATE TABLE ${keyspace}.events (day date, kind text, n varint, PRIMARY KEY ((day, kind)))`,
    )
    for (let id = 0; id < 20; id += 1) {
      const n = String(id)
      await run(
        `INSERT INTO ${keyspace}.users (user_id, region, name) VALUES (${n}, 'us', 'user ${n}')`,
        `INSERT INTO ${keyspace}.items (sku, price) VALUES (${n}, ${n}.50)`,
        `INSERT INTO ${keyspace}.events (day, kind, n) VALUES ('2026-01-01', 'kind ${n}', 9007199254740993)`,
      )
    }
  })
  afterAll(async () => {
    await run(`DROP KEYSPACE IF EXISTS ${keyspace}`)
    await direct.rows.close()
  })
  beforeEach(async () => {
    proxy = await CqlProxy.open(servers.cassandra().contactPoints.split(',')[0] ?? '')
    real = open()
    await real.rows.connect()
  })
  afterEach(async () => {
    await real.rows.close()
    await proxy.close()
  })

  const user = (id: number): RowRequest => ({
    keyspace,
    tableName: 'users',
    primaryKey: id % 2 === 0 ? { user_id: id, region: 'us' } : { region: 'us', user_id: String(id) },
  })
  const item = (sku: number): RowRequest => ({ keyspace, tableName: 'items', pk: sku })
  const event = (n: number): RowRequest => ({
    keyspace,
    tableName: 'events',
    primaryKey: { kind: `kind ${String(n)}`, day: '2026-01-01' },
  })

  test('10,000 of three tables need three prepares and one connection, used at the same time from the first one on', async () => {
    const kinds: string[] = []
    await Promise.all(
      Array.from({ length: 100 }, async (_, worker) => {
        for (let at = 0; at < 25; at += 1) {
          const n = (worker + at) % 25
          const outcomes = [
            ...(await real.rows.lookupMany([user(n), item(n), event(n)])),
            await real.rows.lookup(item(n)),
          ]
          kinds.push(...outcomes.map(({ kind }) => kind))
        }
      }),
    )
    expect([
      kinds.length,
      kinds.filter((kind) => kind === 'hit').length,
      kinds.filter((kind) => kind === 'error'),
    ]).toEqual([10_000, 8_000, []])
    expect([...proxy.statements('PREPARE')].sort()).toEqual([
      `SELECT "day", "kind", "n" FROM "${keyspace}"."events" WHERE "day" = ? AND "kind" = ?`,
      `SELECT "name", "region", "user_id" FROM "${keyspace}"."users" WHERE "user_id" = ? AND "region" IN ?`,
      `SELECT "price", "sku" FROM "${keyspace}"."items" WHERE "sku" IN ?`,
    ])
    // The driver offers a protocol version of its own first, is refused and connects anew.
    const { connections } = proxy
    expect(connections).toBeLessThanOrEqual(3)
    await real.rows.lookup(item(1))
    expect(proxy.connections).toBe(connections)
    await real.rows.close()
    await expect.poll(() => proxy.openConnections).toBe(0)
  })

  test('keep the digits of a key and of a value beyond 2^53', async () => {
    await run(
      `INSERT INTO ${keyspace}.users (user_id, region, name) VALUES (9007199254740993, 'x', 'odd')`,
      `INSERT INTO ${keyspace}.users (user_id, region, name) VALUES (9007199254740992, 'x', 'even')`,
    )
    const read = async (user_id: unknown): Promise<unknown> =>
      real.rows.lookup({ keyspace, tableName: 'users', primaryKey: { user_id, region: 'x' } })
    expect(await read('9007199254740993')).toMatchObject({
      result: { encoded: '{"name":"odd","region":"x","user_id":"9007199254740993"}' },
    })
    expect(await read('9007199254740992')).toMatchObject({
      result: { encoded: '{"name":"even","region":"x","user_id":"9007199254740992"}' },
    })
    expect(await real.rows.lookup(event(1))).toMatchObject({
      result: { encoded: '{"day":"2026-01-01","kind":"kind 1","n":"9007199254740993"}' },
    })
  })

  test('go to the node that owns the row: they are routed by the token that Cassandra computes', async () => {
    const client = new Client({
      contactPoints: [servers.cassandra().contactPoints.split(',')[0] ?? ''],
      localDataCenter: servers.cassandra().datacenter,
    })
    await client.connect()
    const metadata = client.metadata as unknown as { newToken(bytes: Buffer): { toString(): string } }
    try {
      for (const [table, key, request] of [
        ['users', 'user_id', user(3)],
        ['items', 'sku', item(3)],
        ['events', 'day, kind', event(3)],
      ] as const) {
        await real.rows.lookup(request)
        const schema = real.rows.schema(keyspace, table)
        if (schema === undefined) throw new Error('no schema')
        const where = { users: 'user_id = 3', items: 'sku = 3', events: "day = '2026-01-01' AND kind = 'kind 3'" }[
          table
        ]
        const [answer] = await direct.query(`SELECT token(${key}) AS t FROM ${keyspace}.${table} WHERE ${where}`)
        const routed = new TableReads(schema).request([requestedKey(schema, request)]).route?.key
        const token = (
          metadata.newToken(routed ?? Buffer.alloc(0)) as unknown as { getValue(): { toString(): string } }
        )
          .getValue()
          .toString()
        expect([table, `{"t":"${token}"}`]).toEqual([table, answer])
      }
    } finally {
      await client.shutdown()
    }
  })

  test('of names that are no tables reach neither PREPARE nor the text of a query', async () => {
    const hostile = fc.oneof(
      fc.constantFrom(
        "x'; DROP KEYSPACE",
        'users"; TRUNCATE "users',
        'system_auth',
        '__proto__',
        'constructor',
        'USERS',
        'users ',
        '',
      ),
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^\w{1,48}$/),
    )
    const before = proxy.sent.length
    const tried = new Set<string>()
    await fc.assert(
      fc.asyncProperty(hostile, hostile, fc.anything(), async (name, tableName, pk) => {
        fc.pre(!(tableName === 'users' || tableName === 'items' || tableName === 'events'))
        tried.add(name).add(tableName)
        for (const outcome of await real.rows.lookupMany([
          { keyspace: name, tableName, pk },
          { keyspace, tableName, pk },
        ])) {
          expect(['unknown-table', 'forbidden-keyspace']).toContain(
            outcome.kind === 'error' ? outcome.error.code : outcome.kind,
          )
        }
      }),
      { numRuns: 300 },
    )
    expect(proxy.statements('PREPARE')).toEqual([])
    // The driver itself reads what another suite changes in the schema meanwhile.
    const ofOthers = (line: string): boolean => {
      const name = /^QUERY SELECT \* FROM system_schema\.\w+ where keyspace_name = '(\w+)'/i.exec(line)?.[1]
      return name !== undefined && !tried.has(name)
    }
    const queries = new Set(proxy.sent.slice(before).filter((line) => line.startsWith('QUERY ') && !ofOthers(line)))
    expect([...queries].sort()).toEqual([
      'QUERY SELECT column_name, type, kind, position FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?',
      "QUERY SELECT schema_version FROM system.local WHERE key = 'local'",
    ])
  })

  test('of a keyspace that is not there are errors of their record, found once it is made', async () => {
    const late = `${keyspace}_late`
    const request = { keyspace: late, tableName: 't', pk: 1 }
    expect(await real.rows.lookup(request)).toMatchObject({
      kind: 'error',
      error: { code: 'unknown-table', retriable: false },
    })
    await run(
      keyspaceStatement(late),
      `CREATE TABLE ${late}.t (k int PRIMARY KEY)`,
      `INSERT INTO ${late}.t (k) VALUES (1)`,
    )
    expect(await real.rows.lookup(request)).toMatchObject({ kind: 'hit', result: { encoded: '{"k":1}' } })
    await run(`DROP KEYSPACE ${late}`)
    expect(await real.rows.lookup(request)).toMatchObject({ kind: 'error', error: { code: 'unknown-table' } })
  })

  describe('of a table that changes while it is read', () => {
    const request = { keyspace, tableName: 'moving', pk: 1 }
    const read = async (): Promise<string> => {
      const [outcome] = await real.rows.lookupMany([request, { ...request, pk: 2 }])
      if (outcome?.kind === 'error') return `${outcome.error.code}: ${outcome.error.message}`
      return outcome?.kind === 'hit' ? outcome.result.encoded : 'miss'
    }

    beforeEach(async () => {
      await run(
        `DROP TABLE IF EXISTS ${keyspace}.moving`,
        `CREATE TYPE IF NOT EXISTS ${keyspace}.spot (x int)`,
        `CREATE TABLE ${keyspace}.moving (k int PRIMARY KEY, a text, s spot)`,
        `INSERT INTO ${keyspace}.moving (k, a, s) VALUES (1, 'one', {x: 1})`,
      )
      expect(await read()).toBe('{"a":"one","k":1,"s":{"x":1}}')
    })

    test('have a new column a second or so later', async () => {
      await run(`ALTER TABLE ${keyspace}.moving ADD b int`, `UPDATE ${keyspace}.moving SET b = 2 WHERE k = 1`)
      await expect.poll(read, { timeout: 10_000, interval: 200 }).toBe('{"a":"one","b":2,"k":1,"s":{"x":1}}')
    })

    test('go on at once without a column that was dropped', async () => {
      await run(`ALTER TABLE ${keyspace}.moving DROP a`)
      expect(await read()).toBe('{"k":1,"s":{"x":1}}')
    })

    test('have a new field of a user-defined type at once', async () => {
      await run(
        `ALTER TYPE ${keyspace}.spot ADD y text`,
        `UPDATE ${keyspace}.moving SET s = {x: 1, y: 'b'} WHERE k = 1`,
      )
      expect(await read()).toBe('{"a":"one","k":1,"s":{"x":1,"y":"b"}}')
      await run(`DROP TABLE ${keyspace}.moving`, `DROP TYPE ${keyspace}.spot`)
    })

    test('are right after it was dropped and made again with other types', async () => {
      await run(`DROP TABLE ${keyspace}.moving`)
      expect(await read()).toBe(`unknown-table: There is no table ${keyspace}.moving`)
      await run(
        `CREATE TABLE ${keyspace}.moving (k int PRIMARY KEY, a int, s text)`,
        `INSERT INTO ${keyspace}.moving (k, a, s) VALUES (1, 16, 'x')`,
      )
      expect(await read()).toBe('{"a":16,"k":1,"s":"x"}')
      await run(
        `DROP TABLE ${keyspace}.moving`,
        `CREATE TABLE ${keyspace}.moving (k int PRIMARY KEY, a text, s blob)`,
        `INSERT INTO ${keyspace}.moving (k, a, s) VALUES (1, 'y', 0x01)`,
      )
      expect(await read()).toBe('{"a":"y","k":1,"s":"0x01"}')
    })

    test('are the row as it was or is, or to be tried again, however often it changes', async () => {
      let changing = true
      const change = async (): Promise<void> => {
        for (let round = 0; round < 5; round += 1) {
          await run(`ALTER TABLE ${keyspace}.moving ADD c${String(round)} int`)
          await run(`ALTER TABLE ${keyspace}.moving DROP c${String(round)}`)
        }
        changing = false
      }
      const seen = new Set<string>()
      const look = async (): Promise<void> => {
        while (changing) {
          const [outcome] = await real.rows.lookupMany([request, { ...request, pk: 2 }])
          if (outcome?.kind === 'hit') seen.add(outcome.result.encoded.replaceAll(/"c\d":null,/g, ''))
          else seen.add(outcome?.kind === 'error' && outcome.error.retriable ? 'once more' : JSON.stringify(outcome))
        }
      }
      await Promise.all([change(), look(), look(), look()])
      seen.delete('once more')
      expect([...seen]).toEqual(['{"a":"one","k":1,"s":{"x":1}}'])
    })
  })

  test('by whole partition keys go in requests of at most 32 keys', async () => {
    const outcomes = await real.rows.lookupMany(Array.from({ length: 100 }, (_, sku) => item(sku)))
    expect(outcomes.filter(({ kind }) => kind === 'hit')).toHaveLength(20)
    expect(proxy.sent.filter((line) => line === 'EXECUTE')).toHaveLength(4)
  })

  test('give the bytes of cells: the driver is as this connector expects it', async () => {
    const { rows } = await real.session.execute({ cql: `SELECT sku FROM ${keyspace}.items WHERE sku = 3`, values: [] })
    expect(rows.map((row) => cellsOf(row).map((cell) => cell?.toString('hex')))).toEqual([['00000003']])
  })

  test('leave another client of the driver in the same process as it is', async () => {
    const client = new Client({
      contactPoints: [servers.cassandra().contactPoints.split(',')[0] ?? ''],
      localDataCenter: servers.cassandra().datacenter,
    })
    await client.connect()
    const { rows } = await client.execute(`SELECT sku, price FROM ${keyspace}.items WHERE sku = 3`)
    await client.shutdown()
    expect(rows.map((row) => [row['sku'], String(row['price'])])).toEqual([[3, '3.50']])
  })

  test('end cleanly while the connection breaks over and over, and the process is left with nothing of them', async () => {
    const flapping = open({ reconnectDelayMs: 20, reconnectMaxDelayMs: 60, requestTimeoutMs: 1_000 })
    await flapping.rows.connect()
    for (let round = 0; round < 15; round += 1) {
      proxy.refuse()
      await new Promise((resolve) => setTimeout(resolve, 50))
      proxy.accept()
      await expect
        .poll(async () => (await flapping.rows.lookup(item(3))).kind, { timeout: 10_000, interval: 10 })
        .toBe('hit')
    }
    const before = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    const open1 = proxy.openConnections
    await flapping.rows.close()
    await expect.poll(() => proxy.openConnections).toBeLessThan(open1)
    expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length).toBeLessThan(before)
  })
})
