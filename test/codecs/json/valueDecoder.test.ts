import { fc, test as property } from '@fast-check/vitest'
import { isRight, left, right } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { expect, test } from 'vitest'
import { jsonRecord, present } from '../../../src/codecs/json/jsonCodecs.ts'
import { valueDecoder } from '../../../src/codecs/json/valueDecoder.ts'

const upper = new t.Type<string>(
  'Upper',
  t.string.is,
  (value, context) => (typeof value === 'string' ? t.success(value.toUpperCase()) : t.failure(value, context)),
  t.identity,
)

test('a codec that changes its values decodes, although the undecoded value passes for a decoded one', () => {
  expect(valueDecoder(t.type({ a: upper }))({ a: 'x' })).toEqual(right({ a: 'X' }))
  expect(valueDecoder(jsonRecord(upper))({ a: 'x' })).toEqual(right({ a: 'X' }))
})

test('a codec that strips members does so', () => {
  expect(valueDecoder(t.exact(t.type({ a: t.string })))({ a: '', b: 1 })).toEqual(right({ a: '' }))
})

test('a bad value gives the sentence that explains it', () => {
  expect(valueDecoder(t.type({ a: t.string }))({ a: [] })).toEqual(left('a: expected string, got array'))
})

test('a good value of a plain codec is the very value', () => {
  const value = { payload: null, key: { a: '1' } }
  const decoded = valueDecoder(t.type({ payload: present, key: jsonRecord(t.string) }))(value)
  expect(isRight(decoded) && decoded.right).toBe(value)
})

property.prop([fc.jsonValue()])('it accepts what decode accepts, with the same result', (value) => {
  const codecs: readonly t.Mixed[] = [
    t.union([t.string, t.array(t.union([t.number, t.null])), t.record(t.string, t.unknown)]),
    t.type({ a: t.unknown }),
    t.partial({ a: upper, '': t.boolean }),
  ]
  for (const codec of codecs) {
    const expected = codec.decode(value)
    const actual = valueDecoder(codec)(value)
    expect(isRight(actual)).toBe(isRight(expected))
    if (isRight(actual)) expect(actual).toEqual(expected)
  }
})
