import { describe, expect, test } from 'vitest'
import type { CqlType } from '../../../../src/tables/cqlType.ts'
import { parseCqlType } from '../../../../src/tables/parseCqlType.ts'
import { responseTypeCheck, typeOfResponse } from '../../../../src/connectors/cassandra/protocol/responseType.ts'

const marshal = 'org.apache.cassandra.db.marshal'
const vector = (element: string, dimensions: number): string =>
  `${marshal}.VectorType(${element} , ${String(dimensions)})`
const address: CqlType = {
  kind: 'udt',
  name: 'Addr x',
  fields: [
    { name: 'street', type: { kind: 'native', name: 'text' } },
    { name: 'A "q"', type: { kind: 'native', name: 'int' } },
  ],
  frozen: true,
}

// As Cassandra 5.0.6 answered under protocol version 4.
const answered: readonly (readonly [string, { code: number; info?: unknown }, CqlType])[] = [
  ['int', { code: 9 }, parseCqlType('int')],
  ['varchar', { code: 13 }, parseCqlType('text')],
  ['duration', { code: 0, info: `${marshal}.DurationType` }, parseCqlType('duration')],
  ['duration of version 5', { code: 21 }, parseCqlType('duration')],
  ['list', { code: 32, info: { code: 9 } }, parseCqlType('frozen<list<int>>')],
  [
    'map',
    { code: 33, info: [{ code: 13 }, { code: 34, info: { code: 12 } }] },
    parseCqlType('frozen<map<text, frozen<set<uuid>>>>'),
  ],
  ['tuple', { code: 49, info: [{ code: 9 }, { code: 13 }] }, parseCqlType('tuple<int, text>')],
  [
    'udt',
    {
      code: 48,
      info: {
        keyspace: 't',
        name: 'Addr x',
        fields: [
          { name: 'street', type: { code: 13 } },
          { name: 'A "q"', type: { code: 9 } },
        ],
      },
    },
    address,
  ],
  ['vector', { code: 0, info: vector(`${marshal}.FloatType`, 3) }, parseCqlType('vector<float, 3>')],
  [
    'vector of vectors',
    { code: 0, info: vector(vector(`${marshal}.FloatType`, 2), 2) },
    parseCqlType('vector<vector<float, 2>, 2>'),
  ],
  [
    'vector of tuples',
    { code: 0, info: vector(`${marshal}.TupleType(${marshal}.Int32Type,${marshal}.UTF8Type)`, 2) },
    parseCqlType('vector<tuple<int, text>, 2>'),
  ],
  [
    'vector of user-defined types',
    {
      code: 0,
      info: vector(
        `${marshal}.FrozenType(${marshal}.UserType(t,416464722078,737472656574:${marshal}.UTF8Type,4120227122:${marshal}.Int32Type))`,
        1,
      ),
    },
    { kind: 'vector', element: address, dimensions: 1 },
  ],
  [
    'vector of maps',
    { code: 0, info: vector(`${marshal}.MapType(${marshal}.UTF8Type,${marshal}.ListType(${marshal}.LongType))`, 1) },
    parseCqlType('vector<map<text, list<bigint>>, 1>'),
  ],
]

describe('the type of a column of an answer', () => {
  test.each(answered)('is read: %s', (_, response, type) => {
    expect(typeOfResponse(response)).toEqual(type)
  })

  test('is compared with the table: the same type fits, again and again, and no other does', () => {
    for (const [name, , type] of answered) {
      const check = responseTypeCheck(type)
      for (const [other, response, otherType] of answered) {
        const isSame = JSON.stringify(otherType) === JSON.stringify(type)
        expect([name, other, check(response)]).toEqual([name, other, isSame])
        expect([name, other, check(response)]).toEqual([name, other, isSame])
      }
    }
  })

  test('fits whatever is frozen in the table', () => {
    expect(responseTypeCheck(parseCqlType('list<int>'))({ code: 32, info: { code: 9 } })).toBe(true)
    expect(responseTypeCheck({ ...address, frozen: false })(answered[7]?.[1] ?? { code: 0 })).toBe(true)
  })

  test.each([
    [{ code: 99 }],
    [{ code: 0, info: 'com.example.MyType' }],
    [{ code: 0, info: `${marshal}.VectorType(${marshal}.FloatType` }],
    [{ code: 0, info: `${marshal}.UTF8Type)` }],
    [{ code: 32, info: null }],
    [{ code: 48, info: {} }],
  ])('that is none of CQL is refused: %j', (response) => {
    expect(() => typeOfResponse(response)).toThrow(expect.objectContaining({ code: 'invalid-input' }) as Error)
  })
})
