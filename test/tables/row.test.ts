import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import type { CqlType } from '../../src/tables/cqlType.ts'
import { encodeCqlValue } from '../../src/tables/encodeCqlValue.ts'
import { parseCqlType } from '../../src/tables/parseCqlType.ts'
import { column, columnTexts, encodeRow } from '../../src/tables/row.ts'
import type { TableSchema } from '../../src/tables/tableSchema.ts'
import { parseJson } from '../../src/codecs/json/parseJson.ts'
import { hostileName, typedValue } from './cqlArbitraries.ts'

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
