import { isRight, right } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { expect, test } from 'vitest'
import { jsonRecord, present } from '../../../src/codecs/json/jsonCodecs.ts'
import { JsonNumber } from '../../../src/codecs/json/jsonNumber.ts'

test('a present member may be null but not absent', () => {
  const codec = t.type({ payload: present })
  expect(isRight(codec.decode({ payload: null }))).toBe(true)
  expect(isRight(codec.decode({}))).toBe(false)
  expect(codec.is({ payload: null })).toBe(true)
  expect(codec.is({})).toBe(false)
})

test('a record is decoded to itself, a __proto__ member included', () => {
  const hostile: unknown = JSON.parse('{"__proto__":{"a":1},"b":{}}')
  const decoded = jsonRecord(t.UnknownRecord).decode(hostile)
  expect(decoded).toEqual(right(hostile))
  expect(isRight(decoded) && decoded.right).toBe(hostile)
})

test('a record whose members change is copied with a __proto__ member as an ordinary one', () => {
  const length = new t.Type<number>(
    'length',
    t.number.is,
    (value, context) => (typeof value === 'string' ? t.success(value.length) : t.failure(value, context)),
    t.identity,
  )
  const decoded = jsonRecord(length).decode(JSON.parse('{"__proto__":"abc","b":"d"}'))
  const copy = isRight(decoded) ? decoded.right : {}
  expect(Object.entries(copy)).toEqual([
    ['__proto__', 3],
    ['b', 1],
  ])
  expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
})

test('a record stops at its first bad member', () => {
  const decoded = jsonRecord(t.string).decode({ a: 1, b: 2, c: 3 })
  expect(isRight(decoded) ? [] : decoded.left.map(({ value }) => value)).toEqual([1])
})

test('a JsonNumber is no record', () => {
  expect(jsonRecord(t.unknown).is(new JsonNumber('1.10'))).toBe(false)
  expect(isRight(jsonRecord(t.unknown).decode(new JsonNumber('1.10')))).toBe(false)
})
