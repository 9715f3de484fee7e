import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { formatCqlType } from '../../src/tables/cqlType.ts'
import { parseTableDefinition } from '../../src/tables/parseTableDefinition.ts'
import { hostileName } from './cqlArbitraries.ts'

const users = {
  keyspace: 'app',
  table: 'users',
  columns: { user_id: 'bigint', region: 'text', tags: 'set<text>', name: 'text' },
  primaryKey: [['user_id'], ['region']],
  rows: [{ user_id: '1', region: 'eu' }],
}

describe('parseTableDefinition', () => {
  test('reads a table and leaves its rows as they are', () => {
    const { schema, rows } = parseTableDefinition(users)
    expect(schema).toMatchObject({
      keyspace: 'app',
      table: 'users',
      partitionKey: ['user_id'],
      clusteringKey: ['region'],
    })
    expect([...schema.columns].map(([name, type]) => [name, formatCqlType(type)])).toEqual(
      Object.entries(users.columns),
    )
    expect(rows).toBe(users.rows)
  })

  test('reads user-defined types, each usable by those after it', () => {
    const { schema } = parseTableDefinition({
      ...users,
      types: { street: { name: 'text' }, address: { street: 'street', zip: 'int' } },
      columns: { ...users.columns, home: 'frozen<address>' },
    })
    expect(schema.columns.get('home')).toMatchObject({
      kind: 'udt',
      frozen: true,
      fields: [{ name: 'street', type: { kind: 'udt', name: 'street', frozen: true } }, { name: 'zip' }],
    })
  })

  property.prop([fc.uniqueArray(hostileName, { minLength: 2, maxLength: 6 }), hostileName, hostileName])(
    'takes any name as data',
    (names, keyspace, table) => {
      const [first = '', second = ''] = names
      const columns = Object.fromEntries(names.map((name) => [name, 'text']))
      const { schema } = parseTableDefinition({ keyspace, table, columns, primaryKey: [[first], [second]], rows: [] })
      expect([...schema.columns.keys()].sort()).toEqual(names.toSorted())
      expect(schema).toMatchObject({ keyspace, table, partitionKey: [first], clusteringKey: [second] })
    },
  )

  test.each([
    ['null', null, 'the definition is null'],
    ['an array', [], 'the definition is […]'],
    ['another member', { ...users, row: [] }, '"row" is not one of'],
    ['no keyspace', { ...users, keyspace: undefined }, 'keyspace is missing'],
    ['an empty table name', { ...users, table: '' }, 'table is ""'],
    ['a lone surrogate in a name', { ...users, table: 'a\ud800' }, 'table is'],
    ['a huge name', { ...users, table: 'a'.repeat(1_001) }, 'table is'],
    ['no columns', { ...users, columns: undefined }, 'columns is missing'],
    ['a type that is no text', { ...users, columns: { user_id: 5 } }, 'columns."user_id" is 5'],
    ['an unknown type', { ...users, columns: { user_id: 'bigin' } }, 'columns."user_id": "bigin" is not a CQL type'],
    ['a flat primary key', { ...users, primaryKey: ['user_id', 'region'] }, 'primaryKey[0] is "user_id"'],
    ['a primary key of one part', { ...users, primaryKey: [['user_id']] }, 'primaryKey is not'],
    ['no partition key', { ...users, primaryKey: [[], ['region']] }, 'primaryKey[0] names no column'],
    ['an unknown key column', { ...users, primaryKey: [['id'], []] }, 'primaryKey[0][0] is "id"'],
    ['an inherited key column', { ...users, primaryKey: [['toString'], []] }, 'primaryKey[0][0] is "toString"'],
    ['a key column named twice', { ...users, primaryKey: [['region'], ['region']] }, 'primaryKey[1][0] names "region"'],
    ['a collection as key', { ...users, primaryKey: [['tags'], []] }, 'primaryKey[0][0] is a collection'],
    [
      'a duration as key',
      { ...users, columns: { d: 'duration' }, primaryKey: [['d'], []] },
      'primaryKey[0][0] has the type duration',
    ],
    [
      'a counter as key',
      { ...users, columns: { c: 'counter' }, primaryKey: [['c'], []] },
      'primaryKey[0][0] has the type counter',
    ],
    ['no rows', { ...users, rows: undefined }, 'rows is missing'],
    ['rows that are no array', { ...users, rows: {} }, 'rows is {…}'],
    ['a type without fields', { ...users, types: { t: {} } }, 'types."t" has no fields'],
    [
      'a type used before it is known',
      { ...users, types: { a: { b: 'b' }, b: { c: 'int' } } },
      'types."a"."b": "b" is not a CQL type',
    ],
    [
      'very many types',
      { ...users, types: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`t${String(n)}`, { a: 'int' }])) },
      'types has more than 100',
    ],
  ])('refuses %s and names the path', (_, definition, message) => {
    const parse = (): unknown => parseTableDefinition(definition)
    expect(parse).toThrow(`In the table definition, ${message}`)
    expect(parse).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })

  property.prop([fc.anything()])('refuses anything else with invalid-input', (json) => {
    expect(() => parseTableDefinition(json)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })
})
