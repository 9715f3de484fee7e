import { describe, expect, test } from 'vitest'
import { readFileSync } from 'node:fs'
import { parseTableDefinition } from '../../../../src/tables/parseTableDefinition.ts'
import type { CqlSession } from '../../../../src/connectors/cassandra/client/cqlSession.ts'
import { readSchema } from '../../../../src/connectors/cassandra/schema/readSchema.ts'
import { FakeCassandra } from '../fakeCassandra.ts'

const golden = JSON.parse(
  readFileSync(new URL('../../../tables/row-encoding.golden.json', import.meta.url), 'utf8'),
) as { tables: { encoded: unknown }[] }

describe('the schema of a table', () => {
  test('is that of its definition, for every type', async () => {
    for (const { encoded: _, ...definition } of golden.tables) {
      const { schema } = parseTableDefinition(definition)
      const fake = new FakeCassandra([definition])
      expect(await readSchema(fake, schema.keyspace, schema.table)).toEqual(schema)
    }
  })

  test('has user-defined types that use one another, in whatever order the cluster lists them', async () => {
    const definition = {
      keyspace: 'k',
      table: 't',
      types: {
        Inner: { a: 'int' },
        middle: { b: 'frozen<list<frozen<"Inner">>>' },
        outer: { c: 'map<text, frozen<middle>>', d: '"Inner"' },
      },
      columns: { id: 'int', one: 'outer', two: 'list<frozen<middle>>' },
      primaryKey: [['id'], []],
      rows: [],
    }
    expect(await readSchema(new FakeCassandra([definition]), 'k', 't')).toEqual(parseTableDefinition(definition).schema)
  })

  test('of a table that is not there is null', async () => {
    const fake = new FakeCassandra()
    expect(await readSchema(fake, 'k', 't')).toBeNull()
    expect(fake.requests.map(({ values }) => values.map(String))).toEqual([['k', 't']])
  })

  test.each([['a b'], ["x'"], ['ü'], [''], ['x'.repeat(223)], ['k\0']])(
    'is not asked for under a name that no table can have: %j',
    async (name) => {
      const fake = new FakeCassandra()
      expect(await readSchema(fake, name, 't')).toBeNull()
      expect(await readSchema(fake, 'k', name)).toBeNull()
      expect(fake.requests).toEqual([])
    },
  )

  test('with a column of no CQL type is a final error that names the column', async () => {
    const position = Buffer.alloc(4)
    const session: Pick<CqlSession, 'execute'> = {
      execute: ({ cql }) => {
        const row = ['id', "'com.example.Custom'", 'partition_key'].map((text) => Buffer.from(text))
        return Promise.resolve({
          columns: [],
          rows: cql.includes('columns') ? [[...row, position]] : [],
          pageState: null,
        })
      },
    }
    await expect(readSchema(session, 'k', 't')).rejects.toMatchObject({
      code: 'lookup-failed',
      details: { column: 'id' },
    })
  })
})
