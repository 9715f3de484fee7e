import { beforeAll, describe, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import { parseJson } from '../../../../src/codecs/json/parseJson.ts'
import type { RowRequest } from '../../../../src/tables/rowLookup.ts'
import { EmbeddedRowLookup } from '../../../../src/connectors/embedded/log/embeddedRowLookup.ts'
import { Disk, openOnDisk } from '../diskStorage.ts'

const big = '{"id": 9007199254740993, "name": "big"}'
const tables: readonly unknown[] = [
  {
    keyspace: 'app',
    table: 'users',
    columns: { id: 'bigint', name: 'text' },
    primaryKey: [['id'], []],
    rows: [{ id: '1', name: 'one' }, parseJson(big, { numbers: 'exact' })],
  },
  {
    keyspace: 'app',
    table: 'visits',
    columns: { user_id: 'text', region: 'text', n: 'int' },
    primaryKey: [['user_id'], ['region']],
    rows: [{ user_id: 'u', region: 'eu', n: 1 }],
  },
  {
    keyspace: 'we"ird; DROP\n',
    table: '__proto__',
    columns: { __proto__x: 'text', constructor: 'int' },
    primaryKey: [['constructor'], []],
    rows: [{ constructor: 7, __proto__x: 'x' }],
  },
]

describe('embedded row lookup', () => {
  let lookup: EmbeddedRowLookup

  beforeAll(async () => {
    const store = await openOnDisk(new Disk())
    for (const table of tables) await store.loadTable(table)
    lookup = new EmbeddedRowLookup(store.tables)
  })

  const ask = async (request: RowRequest): Promise<string> => {
    const outcome = await lookup.lookup(request)
    if (outcome.kind === 'hit') return outcome.result.encoded
    return outcome.kind === 'miss' ? 'miss' : outcome.error.code
  }

  test('finds a row by the only key column, whatever it is called, and by name', async () => {
    const row = '{"id":"1","name":"one"}'
    expect(await ask({ keyspace: 'app', tableName: 'users', pk: 1 })).toBe(row)
    expect(await ask({ keyspace: 'app', tableName: 'users', pk: '1' })).toBe(row)
    expect(await ask({ keyspace: 'app', tableName: 'users', primaryKey: { id: 1 } })).toBe(row)
  })

  test('finds a row by a composite key in any order', async () => {
    const row = '{"n":1,"region":"eu","user_id":"u"}'
    expect(await ask({ keyspace: 'app', tableName: 'visits', primaryKey: { region: 'eu', user_id: 'u' } })).toBe(row)
    expect(await ask({ keyspace: 'app', tableName: 'visits', primaryKey: { user_id: 'u', region: 'eu' } })).toBe(row)
    expect(await ask({ keyspace: 'app', tableName: 'visits', primaryKey: { user_id: 'u', region: 'us' } })).toBe('miss')
  })

  test('keeps every digit of a large key', async () => {
    const pk = parseJson('9007199254740993', { numbers: 'exact' })
    expect(await ask({ keyspace: 'app', tableName: 'users', pk })).toBe('{"id":"9007199254740993","name":"big"}')
    expect(await ask({ keyspace: 'app', tableName: 'users', pk: '9007199254740992' })).toBe('miss')
  })

  test('takes names as they are', async () => {
    expect(await ask({ keyspace: 'we"ird; DROP\n', tableName: '__proto__', primaryKey: { constructor: 7 } })).toBe(
      '{"__proto__x":"x","constructor":7}',
    )
    for (const [keyspace, tableName] of [
      ['APP', 'users'],
      ['app', 'Users'],
      ['"app"', 'users'],
      ['app', 'users;'],
      ['app', 'toString'],
      ['__proto__', 'users'],
      ['', ''],
    ]) {
      expect(await ask({ keyspace: keyspace ?? '', tableName: tableName ?? '', pk: 1 })).toBe('unknown-table')
    }
  })

  test.each([
    'system',
    'system_auth',
    'system_schema',
    'system_traces',
    'system_distributed',
    'system_views',
    'system_virtual_schema',
    'SYSTEM',
    'System_Auth',
  ])('never reads keyspace %s', async (keyspace) => {
    expect(await ask({ keyspace, tableName: 'roles', pk: 'cassandra' })).toBe('forbidden-keyspace')
  })

  test.each<[string, Partial<RowRequest> & { tableName: string }]>([
    ['key-mismatch', { tableName: 'visits', pk: 'u' }],
    ['key-mismatch', { tableName: 'visits', primaryKey: { user_id: 'u' } }],
    ['key-mismatch', { tableName: 'visits', primaryKey: { user_id: 'u', region: null } }],
    ['key-mismatch', { tableName: 'visits', primaryKey: { user_id: 'u', region: 'eu', more: 1 } }],
    ['key-mismatch', { tableName: 'users', primaryKey: [] }],
    ['key-mismatch', { tableName: 'users', primaryKey: null }],
    ['key-mismatch', { tableName: 'users', pk: null }],
    ['key-mismatch', { tableName: 'users' }],
    ['invalid-value', { tableName: 'users', pk: 'x' }],
    ['invalid-value', { tableName: 'users', pk: 1.5 }],
    ['invalid-value', { tableName: 'users', pk: {} }],
    ['invalid-value', { tableName: 'users', pk: [1] }],
  ])('answers %s to %j, for good', async (code, part) => {
    const outcome = await lookup.lookup({ keyspace: 'app', ...part })
    expect(outcome).toMatchObject({ kind: 'error', error: { code, retriable: false, kind: 'record' } })
  })

  test('names an unknown table in a short sentence on one line', async () => {
    const outcome = await lookup.lookup({ keyspace: 'a"; \n\u0000', tableName: 'x'.repeat(100_000), pk: 1 })
    if (outcome.kind !== 'error') throw new Error('an error was expected')
    expect(outcome.error.message).toBe(`There is no table "a\\"; \\n\\u0000"."${'x'.repeat(60)}…"`)
  })

  test('answers a group in its order', async () => {
    const outcomes = await lookup.lookupMany([
      { keyspace: 'app', tableName: 'users', pk: 1 },
      { keyspace: 'app', tableName: 'nothing', pk: 1 },
      { keyspace: 'app', tableName: 'users', pk: 2 },
      { keyspace: 'app', tableName: 'users', pk: 1 },
    ])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['hit', 'error', 'miss', 'hit'])
  })

  property.prop([fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.jsonValue(), fc.jsonValue()])(
    'answers anything with an outcome',
    async (keyspace, tableName, pk, primaryKey) => {
      for (const request of [
        { keyspace, tableName, pk },
        { keyspace: 'app', tableName: 'users', pk },
        { keyspace: 'app', tableName: 'visits', primaryKey },
      ]) {
        expect(['hit', 'miss', 'error']).toContain((await lookup.lookup(request)).kind)
      }
    },
  )

  test('10,000 names that do not exist leave nothing behind', async () => {
    const before = process.memoryUsage().heapUsed
    for (let n = 0; n < 10_000; n += 1) {
      expect(await ask({ keyspace: `k${String(n)}`, tableName: 'y'.repeat(1_000) + String(n), pk: 1 })).toBe(
        'unknown-table',
      )
      expect(lookup.schema(`k${String(n)}`, 'x')).toBeUndefined()
    }
    // The names alone are 10 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60_000_000)
  })

  test('tells the schema of a table', () => {
    expect(lookup.schema('app', 'visits')).toMatchObject({ partitionKey: ['user_id'], clusteringKey: ['region'] })
    expect(lookup.schema('app', 'nothing')).toBeUndefined()
  })
})
