import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { JsonNumber } from '../../src/codecs/json/jsonNumber.ts'
import type { CqlType } from '../../src/tables/cqlType.ts'
import { encodeCqlValue } from './encodeCqlValue.ts'
import { parseCqlType } from '../../src/tables/parseCqlType.ts'
import { columnTexts, compareWithRow, encodeRow, type Row } from '../../src/tables/row.ts'
import type { TableSchema } from '../../src/tables/tableSchema.ts'
import { parseJson } from '../../src/codecs/json/parseJson.ts'
import { hostileName, typedValue } from './cqlArbitraries.ts'

/** The canonical text of one column; undefined when the table has no such column. */
const column = (row: Row, name: string): string | undefined => columnTexts(row).get(name)

function table(columns: Iterable<readonly [string, CqlType]>): TableSchema {
  return { keyspace: 'app', table: 'users', columns: new Map(columns), partitionKey: [], clusteringKey: [] }
}

const users = table([
  ['user_id', parseCqlType('bigint')],
  ['age', parseCqlType('int')],
  ['tags', parseCqlType('set<text>')],
])

/** A table with one row of it, without the values that a column turns into null. */
const tableAndRow = fc.uniqueArray(fc.tuple(hostileName, typedValue), {
  minLength: 1,
  maxLength: 5,
  selector: ([name]) => name,
})

describe('encodeRow', () => {
  test('writes all columns by name, with nulls for those that are absent', () => {
    expect(encodeRow(users, { user_id: 5, tags: ['b', 'a'] })).toBe('{"age":null,"tags":["a","b"],"user_id":"5"}')
    expect(encodeRow(users, { user_id: null, age: '7', tags: [] })).toBe('{"age":7,"tags":null,"user_id":null}')
  })

  property.prop([tableAndRow])(
    'does not depend on the order of columns or members, and reads its own text',
    (cells) => {
      const forward = table(cells.map(([name, { type }]) => [name, type]))
      const backward = table(cells.toReversed().map(([name, { type }]) => [name, type]))
      const members = cells.map(([name, { value }]) => [name, value] as const)
      const encoded = encodeRow(forward, Object.fromEntries(members))
      expect(encodeRow(backward, Object.fromEntries(members.toReversed()))).toBe(encoded)
      expect(encodeRow(forward, parseJson(encoded, { numbers: 'exact' }))).toBe(encoded)
    },
  )

  property.prop([tableAndRow])('can be cut into its columns without parsing', (cells) => {
    const schema = table(cells.map(([name, { type }]) => [name, type]))
    const row = {
      schema,
      encoded: encodeRow(schema, Object.fromEntries(cells.map(([name, { value }]) => [name, value]))),
    }
    const expected = cells.map(([name, { type, value }]) => [name, encodeCqlValue(type, value)] as const)
    expect(columnTexts(row)).toEqual(new Map(expected))
    for (const [name, text] of expected) expect(column(row, name)).toBe(text)
  })

  test('refuses a column that the table does not have, an inherited name included', () => {
    expect(() => encodeRow(users, { user_id: 1, nickname: 'x' })).toThrow(
      'The table app.users has no column "nickname"; remove it from the row.',
    )
    expect(() => encodeRow(users, JSON.parse('{"__proto__":1}'))).toThrow(
      expect.objectContaining({ code: 'invalid-value' }),
    )
  })

  test.each([[null], [[]], ['x'], [5]])('refuses %j as a row', (values) => {
    expect(() => encodeRow(users, values)).toThrow(expect.objectContaining({ code: 'invalid-value' }))
  })

  test('names the column of a value that does not convert', () => {
    expect(() => encodeRow(users, { age: 'x' })).toThrow(
      'The value "x" does not fit column app.users.age of type int: expected an integer from -2147483648 to 2147483647 (JSON number or digit string).',
    )
  })
})

describe('column', () => {
  const row = { schema: users, encoded: '{"age":null,"tags":["a\\"],}","b\\\\"],"user_id":"5"}' }

  test('gives the canonical text of a column, or undefined when there is none', () => {
    expect([column(row, 'age'), column(row, 'tags'), column(row, 'user_id')]).toEqual([
      'null',
      '["a\\"],}","b\\\\"]',
      '"5"',
    ])
    expect([column(row, 'nickname'), column(row, 'toString'), column(row, '__proto__')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test.each([
    '',
    '{}',
    '{"age":1}',
    '{"age":1,"tags":null,"user_id":"5"',
    '{"age":1,"tags":null,"user_id":"5"}}',
    '{"age":,"tags":null,"user_id":"5"}',
    '{"age":1,"user_id":"5","tags":null}',
    '{"age":1,"tags":["a,"user_id":"5"}',
  ])('takes %j for a corrupt store', (encoded) => {
    expect(() => columnTexts({ schema: users, encoded })).toThrow(expect.objectContaining({ code: 'corrupt-store' }))
  })
})

const types = { user_id: 'bigint', age: 'int', name: 'text', seen: 'timestamp', tags: 'set<text>', note: 'text' }
const schema: TableSchema = {
  keyspace: 'app',
  table: 'users',
  columns: new Map(Object.entries(types).map(([name, type]) => [name, parseCqlType(type)])),
  partitionKey: ['user_id'],
  clusteringKey: [],
}
const stored = { user_id: '9007199254740993', age: 12, name: 'Ann', seen: '2024-01-02T03:04:05.000Z', tags: ['b', 'a'] }
const row = { schema, encoded: encodeRow(schema, stored) }

describe('compareWithRow', () => {
  test('equals whatever spelling converts to the same column values', () => {
    const payload = {
      seen: 1_704_164_645_000,
      age: '12',
      user_id: new JsonNumber('9007199254740993'),
      tags: ['a', 'b', 'a'],
      note: null,
    }
    expect(compareWithRow(row, payload)).toEqual({ equal: true, differing: [], ignored: 0 })
  })

  test('equals what Cassandra has made of a spelling', () => {
    const own = {
      ...schema,
      columns: new Map([
        ['user_id', parseCqlType('bigint')],
        ['ip', parseCqlType('inet')],
        ['seen', parseCqlType('timestamp')],
        ['on', parseCqlType('boolean')],
      ]),
    }
    const encoded = encodeRow(own, { user_id: 1, ip: '10.0.0.1', seen: '2026-01-31T08:00:00.123Z', on: true })
    const payload = { user_id: '+01', ip: '::FFFF:a00:1', seen: '2026-01-31T08:00:00.123456Z', on: 'TRUE' }
    expect(compareWithRow({ schema: own, encoded }, payload)).toEqual({ equal: true, differing: [], ignored: 0 })
  })

  test('names the columns that differ in the order of the row, whatever the order of the payload', () => {
    const payload = { tags: ['a'], name: 'Bob', age: 12 }
    expect(compareWithRow(row, payload)).toEqual({ equal: false, differing: ['name', 'tags'], ignored: 0 })
  })

  test('takes a value that does not convert for a difference, not for an error', () => {
    const payload = { age: 'twelve', name: 5, seen: {}, tags: 'a', user_id: 1.5 }
    expect(compareWithRow(row, payload).differing).toEqual(['age', 'name', 'seen', 'tags', 'user_id'])
  })

  test('does not take the beginning of a value for the value', () => {
    expect(compareWithRow(row, { age: 1 }).differing).toEqual(['age'])
    expect(compareWithRow(row, { age: 123 }).differing).toEqual(['age'])
  })

  test('finds null equal to a null column alone', () => {
    expect(compareWithRow(row, { note: null }).equal).toBe(true)
    expect(compareWithRow(row, { note: '' }).equal).toBe(false)
    expect(compareWithRow(row, { name: null }).equal).toBe(false)
    expect(compareWithRow(row, { note: 'null' }).equal).toBe(false)
  })

  test('finds an empty set equal to a null column, because Cassandra keeps no difference', () => {
    expect(compareWithRow({ schema, encoded: encodeRow(schema, { user_id: 1 }) }, { tags: [] }).equal).toBe(true)
  })

  test('ignores and counts fields without a column, and does not compare columns without a field', () => {
    expect(compareWithRow(row, { age: 12, colour: 'red', toString: 1 })).toEqual({
      equal: true,
      differing: [],
      ignored: 2,
    })
    expect(compareWithRow(row, {})).toEqual({ equal: true, differing: [], ignored: 0 })
  })

  test('sees own members only', () => {
    expect(compareWithRow(row, Object.create({ age: 13 }))).toEqual({ equal: true, differing: [], ignored: 0 })
    expect(compareWithRow(row, JSON.parse('{"__proto__":{"age":13}}'))).toEqual({
      equal: true,
      differing: [],
      ignored: 1,
    })
  })

  test.each([[null], [undefined], ['text'], [5], [true], [[stored]], [new JsonNumber('1.0')]])(
    'never finds the payload %j equal, and names all columns',
    (payload) => {
      expect(compareWithRow(row, payload)).toEqual({
        equal: false,
        differing: [...schema.columns.keys()].toSorted(),
        ignored: 0,
      })
    },
  )

  property.prop([
    fc.uniqueArray(fc.tuple(hostileName, typedValue, typedValue), {
      minLength: 1,
      maxLength: 4,
      selector: ([name]) => name,
    }),
  ])('differs exactly where the canonical texts do, for every type', (cells) => {
    const columns = new Map(cells.map(([name, { type }]) => [name, type]))
    const own = { ...schema, columns }
    const encoded = encodeRow(own, Object.fromEntries(cells.map(([name, { value }]) => [name, value])))
    expect(compareWithRow({ schema: own, encoded }, parseJson(encoded, { numbers: 'exact' })).equal).toBe(true)
    const others = Object.fromEntries(cells.map(([name, , { value }]) => [name, value]))
    const differing = cells.filter(([, { type, value }, other]) => {
      try {
        return encodeCqlValue(type, value) !== encodeCqlValue(type, other.value)
      } catch {
        return true
      }
    })
    expect(compareWithRow({ schema: own, encoded }, others).differing).toEqual(
      differing.map(([name]) => name).toSorted(),
    )
  })
})
