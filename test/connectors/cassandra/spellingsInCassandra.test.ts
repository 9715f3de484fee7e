import { beforeAll, expect, test } from 'vitest'
import { spellings } from '../../tables/spellings.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { realKeyspace } from './realRows.ts'

describeWithServers('spellings of values in a real Cassandra', ['cassandra'], (servers) => {
  const keyspace = `spellings_${String(process.pid)}`
  const real = realKeyspace(servers, keyspace)

  beforeAll(async () => {
    for (const type of new Set(spellings.map((spelling) => spelling.type))) {
      await real.query(`CREATE TABLE ${keyspace}.of_${type} (k int PRIMARY KEY, v ${type})`)
    }
  })

  test('are read as the table of spellings says, which this framework is held against', async () => {
    const found: string[] = []
    for (const [k, { type, json }] of spellings.entries()) {
      const table = `${keyspace}.of_${type}`
      try {
        await real.query(`INSERT INTO ${table} (k, v) VALUES (${String(k)}, fromJson('${json}'))`)
        const [row = ''] = await real.query(`SELECT v FROM ${table} WHERE k = ${String(k)}`)
        found.push(`${type} ${json}: ${row.slice('{"v":'.length, -1)}`)
      } catch {
        found.push(`${type} ${json}: null`)
      }
    }
    const expected = spellings.map(({ type, json, cassandra }) => `${type} ${json}: ${cassandra ?? 'null'}`)
    // An empty string is an empty value, which is shown as null: a refusal is not told from it here.
    expect(found).toEqual(expected)
  }, 120_000)
})
