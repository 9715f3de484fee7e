import { beforeAll, expect, test } from 'vitest'
import { CassandraTables } from '../../../src/connectors/cassandra/schema/cassandraTables.ts'
import { queryCassandra } from '../../../src/connectors/cassandra/lookup/queryCassandra.ts'
import type { Row } from '../../../src/tables/row.ts'
import type { LookupOutcome } from '../../../src/core/ports/lookup.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { realKeyspace } from './realRows.ts'

const keyspace = `odd_${String(process.pid)}`
const composite = 'org.apache.cassandra.db.marshal.DynamicCompositeType(a=>org.apache.cassandra.db.marshal.BytesType)'

describeWithServers('what a real Cassandra may hold', ['cassandra'], (servers) => {
  const real = realKeyspace(servers, keyspace)

  beforeAll(async () => {
    for (const cql of [
      `CREATE TABLE ${keyspace}.custom (k int PRIMARY KEY, v '${composite}')`,
      `CREATE TABLE ${keyspace}.plain_class (k int PRIMARY KEY, v 'org.apache.cassandra.db.marshal.BytesType')`,
      `CREATE TABLE ${keyspace}.ordinary (k int PRIMARY KEY, v text)`,
      `INSERT INTO ${keyspace}.ordinary (k, v) VALUES (1, 'one')`,
      `INSERT INTO ${keyspace}.plain_class (k, v) VALUES (1, 0x01)`,
      `INSERT INTO ${keyspace}.custom (k) VALUES (1)`,
      `CREATE TYPE ${keyspace}.spot (x int, name text)`,
      `CREATE TABLE ${keyspace}.empties (k int PRIMARY KEY, t tuple<int, text>, u frozen<spot>, l frozen<list<int>>, n int)`,
    ]) {
      await real.query(cql)
    }
  })

  const lookUp = async (tableName: string, pk: number): Promise<string> => {
    const outcome: LookupOutcome<Row> = await real.rows.lookup({ keyspace, tableName, pk })
    if (outcome.kind === 'hit') return outcome.result.encoded
    return outcome.kind === 'error' ? `${outcome.error.code}: ${outcome.error.message}` : 'miss'
  }

  test('a column of a class of the server is listed with its type, and concerns no other table', async () => {
    const tables = new CassandraTables(real.session, servers.cassandra().datacenter)
    const listed = (await tables.listTables()).filter((table) => table.keyspace === keyspace)
    expect(listed.map(({ table, columns }) => [table, columns.find(([name]) => name === 'v')?.[1]])).toEqual([
      ['custom', `'${composite}'`],
      ['empties', undefined],
      ['ordinary', 'text'],
      ['plain_class', 'blob'],
    ])
    const page = { after: null, limit: 10 }
    expect(await tables.readTable(keyspace, 'ordinary', page)).toEqual({ rows: ['{"k":1,"v":"one"}'], next: null })
    expect(await tables.readTable(keyspace, 'plain_class', page)).toEqual({ rows: ['{"k":1,"v":"0x01"}'], next: null })
    expect(await tables.readTable(keyspace, 'custom', page)).toEqual({ rows: ['{"k":1,"v":null}'], next: null })
    const { columns } = await queryCassandra(real.session, `SELECT v FROM ${keyspace}.custom`)
    expect(columns[0]?.type).toMatch(/^'org\.apache\.cassandra\.db\.marshal\.DynamicCompositeType\(/)
  })

  test('a lookup in a table with such a column says so by its name, and others go on', async () => {
    expect(await lookUp('ordinary', 1)).toBe('{"k":1,"v":"one"}')
    expect(await lookUp('plain_class', 1)).toBe('{"k":1,"v":"0x01"}')
    expect(await lookUp('custom', 1)).toMatch(
      /^lookup-failed: Rows of odd_\d+\.custom cannot be read, because column "v" has a type that is not one of CQL's/,
    )
  })

  test('values of no bytes are null in tuples and user-defined types, and are told by column in a list', async () => {
    const key = (k: number): Buffer => Buffer.from([0, 0, 0, k])
    const write = (cql: string, ...values: Buffer[]): Promise<unknown> =>
      real.session.execute({ cql, values, route: { keyspace, key: null } })
    const hex = (text: string): Buffer => Buffer.from(text, 'hex')
    await write(
      `INSERT INTO ${keyspace}.empties (k, t, u, n) VALUES (?, ?, ?, ?)`,
      key(1),
      hex('0000000000000000'),
      hex('0000000000000000'),
      Buffer.alloc(0),
    )
    await write(`INSERT INTO ${keyspace}.empties (k, l) VALUES (?, ?)`, key(2), hex('0000000100000000'))
    expect(await lookUp('empties', 1)).toBe('{"k":1,"l":null,"n":null,"t":[null,""],"u":{"name":"","x":null}}')
    expect(await lookUp('empties', 2)).toMatch(
      /^lookup-failed: A value of column odd_\d+\.empties\.l cannot be written in the row encoding: .*an element without a value in a collection/,
    )
  })
})
