import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { parseCqlType } from '../../src/tables/parseCqlType.ts'
import { encodePrimaryKey, encodeRowKey, singleKeyColumn } from '../../src/tables/primaryKey.ts'
import type { TableSchema } from '../../src/tables/tableSchema.ts'
import { JsonNumber } from '../../src/codecs/json/jsonNumber.ts'
import { parseJson } from '../../src/codecs/json/parseJson.ts'
import { hostileName, wellFormedText } from './cqlArbitraries.ts'

function table(
  columns: Readonly<Record<string, string>>,
  partitionKey: string[],
  clusteringKey: string[] = [],
): TableSchema {
  const types = new Map(Object.entries(columns).map(([name, type]) => [name, parseCqlType(type)]))
  return { keyspace: 'app', table: 'users', columns: types, partitionKey, clusteringKey }
}

const users = table({ name: 'text', region: 'text', user_id: 'bigint' }, ['user_id'], ['region'])
const pair = table({ a: 'text', b: 'text' }, ['a', 'b'])
const failing = (schema: TableSchema, key: unknown): unknown => {
  try {
    return encodePrimaryKey(schema, key)
  } catch (error) {
    return error
  }
}

describe('encodePrimaryKey', () => {
  test('is independent of the order of the members and of how a value is spelled', () => {
    const key = encodePrimaryKey(users, { user_id: 123, region: 'us-east' })
    const other = encodePrimaryKey(users, { region: 'us-east', user_id: '123' })
    expect(key.bytes.equals(other.bytes)).toBe(true)
    expect(key.keyObject).toBe('{"user_id":"123","region":"us-east"}')
    expect(other.keyObject).toBe(key.keyObject)
    expect(key.keyValue).toBe(key.keyObject)
  })

  test('keeps the digits of a bigint beyond 2^53', () => {
    const key = encodePrimaryKey(users, { user_id: new JsonNumber('9007199254740993'), region: '' })
    expect(key.parts).toEqual(['"9007199254740993"', '""'])
  })

  property.prop([wellFormedText, wellFormedText, wellFormedText, wellFormedText])(
    'gives two keys the same bytes only when all parts are equal',
    (a, b, otherA, otherB) => {
      const bytes = (left: string, right: string): Buffer => encodePrimaryKey(pair, { a: left, b: right }).bytes
      expect(bytes(a, b).equals(bytes(otherA, otherB))).toBe(a === otherA && b === otherB)
      expect(bytes(a, `${b}${otherB}`).equals(bytes(`${a}${b}`, otherB))).toBe(b === '')
    },
  )

  property.prop([
    fc.uniqueArray(hostileName, { minLength: 1, maxLength: 4 }),
    wellFormedText.filter((text) => text !== ''),
  ])('takes columns of any name, and its key object says them back', (names, text) => {
    const schema = table(Object.fromEntries(names.map((name) => [name, 'text'])), names)
    const values = Object.fromEntries(names.map((name) => [name, text]))
    const key = encodePrimaryKey(schema, values)
    expect(parseJson(key.keyObject)).toEqual(values)
    expect(
      key.bytes.equals(encodePrimaryKey(schema, Object.fromEntries(Object.entries(values).toReversed())).bytes),
    ).toBe(true)
  })

  test('gives the bare value of a key of one column', () => {
    const schema = table({ id: 'int' }, ['id'])
    expect(encodePrimaryKey(schema, { id: '5' }).keyValue).toBe('5')
    expect(encodePrimaryKey(schema, { id: '5' }).keyObject).toBe('{"id":5}')
  })

  test.each([
    [{ user_id: 1 }, 'region is missing'],
    [{ user_id: 1, region: null }, 'region is null'],
    [{ user_id: 1, region: 'a', extra: 1 }, '"extra" is not part of it'],
    [{ user_id: 1, Region: 'a' }, 'region is missing; "Region" is not part of it'],
    [{ user_id: 1, toString: 'a' }, 'region is missing; "toString" is not part of it'],
    [Object.create({ user_id: 1, region: 'a' }), 'user_id is missing; region is missing'],
    [null, 'it is not an object'],
    ['5', 'it is not an object'],
    [[1, 'a'], 'it is not an object'],
    [new JsonNumber('1.0'), 'it is not an object'],
  ])('refuses %j as the key of another table', (key, problem) => {
    expect(failing(users, key)).toMatchObject({
      code: 'key-mismatch',
      message: `The primary key of app.users is (user_id, region): ${problem}.`,
    })
  })

  test('keeps its message short however many members are wrong', () => {
    const key = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`x${String(n)}`, n]))
    expect(() => encodePrimaryKey(users, key)).toThrow(/^.{0,300}; and 9997 more\.$/)
  })

  test.each([[{}], [[]], [true], ['1.5'], [1.5], ['']])('refuses %j as a bigint and names column and type', (value) => {
    expect(failing(users, { user_id: value, region: 'a' })).toMatchObject({
      code: 'invalid-value',
      details: { column: 'user_id', type: 'bigint' },
    })
    expect(() => encodePrimaryKey(users, { user_id: value, region: 'a' })).toThrow(
      'column app.users.user_id of type bigint',
    )
  })

  test('refuses an empty partition key of one column, and no other empty part', () => {
    expect(failing(table({ id: 'text' }, ['id']), { id: '' })).toMatchObject({
      code: 'invalid-value',
      details: { column: 'id' },
    })
    expect(failing(table({ id: 'blob' }, ['id']), { id: '0x' })).toMatchObject({ code: 'invalid-value' })
    expect(encodePrimaryKey(pair, { a: '', b: '' }).parts).toEqual(['""', '""'])
    expect(encodePrimaryKey(table({ id: 'text', c: 'text' }, ['id'], ['c']), { id: 'x', c: '' }).parts).toEqual([
      '"x"',
      '""',
    ])
  })

  test('refuses a part longer than Cassandra takes', () => {
    const schema = table({ id: 'text' }, ['id'])
    expect(encodePrimaryKey(schema, { id: 'é'.repeat(32_767) }).parts).toHaveLength(1)
    expect(failing(schema, { id: 'é'.repeat(32_768) })).toMatchObject({ code: 'invalid-value' })
    expect(encodePrimaryKey(table({ id: 'blob' }, ['id']), { id: `0x${'ff'.repeat(65_535)}` }).parts).toHaveLength(1)
    expect(failing(table({ id: 'blob' }, ['id']), { id: `0x${'ff'.repeat(65_536)}` })).toMatchObject({
      code: 'invalid-value',
    })
  })
})

describe('encodeRowKey', () => {
  test('finds the key among the columns of a row', () => {
    const row = { name: null, region: 'us-east', user_id: '123' }
    expect(
      encodeRowKey(users, row).bytes.equals(encodePrimaryKey(users, { user_id: 123, region: 'us-east' }).bytes),
    ).toBe(true)
    expect(() => encodeRowKey(users, { name: 'x', user_id: 1 })).toThrow('region is missing')
    expect(() => encodeRowKey(users, [])).toThrow(expect.objectContaining({ code: 'key-mismatch' }))
  })
})

describe('singleKeyColumn', () => {
  test('names the only key column and refuses a composite key', () => {
    expect(singleKeyColumn(table({ __proto: 'int', v: 'text' }, ['v']))).toBe('v')
    expect(() => singleKeyColumn(users)).toThrow(expect.objectContaining({ code: 'key-mismatch' }))
  })
})
