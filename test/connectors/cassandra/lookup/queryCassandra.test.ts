import { describe, expect, test } from 'vitest'
import { queryCassandra } from '../../../../src/connectors/cassandra/lookup/queryCassandra.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { FakeCassandra, invalidRequest, overloaded } from '../fakeCassandra.ts'
import { realKeyspace } from '../realRows.ts'

const keyspace = `query_${String(process.pid)}`

describe('a CQL statement', () => {
  test('that Cassandra refuses is told with its own words', async () => {
    const fake = new FakeCassandra()
    fake.behave = () => ({ error: invalidRequest('Undefined column name nope') })
    await expect(queryCassandra(fake, 'SELECT nope FROM t')).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'Cassandra refuses the statement: Undefined column name nope',
    })
  })

  test('that meets an outage says so', async () => {
    const fake = new FakeCassandra()
    fake.behave = () => ({ error: overloaded() })
    await expect(queryCassandra(fake, 'SELECT 1')).rejects.toMatchObject({ code: 'system-unreachable' })
  })
})

describeWithServers('a CQL statement on a real Cassandra', ['cassandra'], (servers) => {
  const real = realKeyspace(servers, keyspace)

  test('answers columns in the order of the SELECT and rows in the row encoding', async () => {
    await real.query(
      `CREATE TABLE ${keyspace}.t (id bigint PRIMARY KEY, "Z" text, d decimal, tags set<text>, at timestamp)`,
    )
    await real.query(
      `INSERT INTO ${keyspace}.t (id, "Z", d, tags, at) VALUES (9007199254740993, 'z', 1.50, {'b', 'a'}, 0)`,
    )
    const { columns, rows } = await queryCassandra(
      real.session,
      `SELECT tags, id, "Z", d AS amount, ttl(d), at FROM ${keyspace}.t`,
    )
    expect(columns).toEqual([
      { name: 'tags', type: 'frozen<set<text>>' },
      { name: 'id', type: 'bigint' },
      { name: 'Z', type: 'text' },
      { name: 'amount', type: 'decimal' },
      { name: 'ttl(d)', type: 'int' },
      { name: 'at', type: 'timestamp' },
    ])
    const answered = []
    for await (const row of rows) answered.push(row)
    expect(answered).toEqual([
      {
        texts: ['["a","b"]', '"9007199254740993"', '"z"', '"1.50"', 'null', '"1970-01-01T00:00:00.000Z"'],
        encoded:
          '{"Z":"z","amount":"1.50","at":"1970-01-01T00:00:00.000Z","id":"9007199254740993","tags":["a","b"],"ttl(d)":null}',
      },
    ])
  })

  test('reads page after page', async () => {
    await real.query(`CREATE TABLE ${keyspace}.many (p int, c int, PRIMARY KEY (p, c))`)
    for (let from = 0; from < 2_500; from += 500) {
      const rows = Array.from(
        { length: 500 },
        (_, at) => `INSERT INTO ${keyspace}.many (p, c) VALUES (1, ${String(from + at)})`,
      )
      await real.query(`BEGIN UNLOGGED BATCH ${rows.join('; ')}; APPLY BATCH`)
    }
    const rows = await real.query(`SELECT * FROM ${keyspace}.many`)
    expect([rows.length, rows[0], rows.at(-1)]).toEqual([2_500, '{"c":0,"p":1}', '{"c":2499,"p":1}'])
  })

  test('of no rows answers none, and a wrong one is refused', async () => {
    expect(await real.query(`CREATE TABLE ${keyspace}.empty (k int PRIMARY KEY)`)).toEqual([])
    expect(await real.query(`SELECT * FROM ${keyspace}.empty`)).toEqual([])
    await expect(real.query('SELEC 1')).rejects.toMatchObject({ code: 'invalid-input' })
    await expect(real.query(`SELECT nope FROM ${keyspace}.empty`)).rejects.toThrow('Undefined column name nope')
  })

  test('may be about the tables of the cluster itself', async () => {
    const [local] = await real.query(
      "SELECT key, data_center, rpc_address, tokens FROM system.local WHERE key = 'local'",
    )
    expect(local).toMatch(/^\{"data_center":".+","key":"local","rpc_address":".+","tokens":\["-?\d+"(,"-?\d+")*\]\}$/)
  })
})
