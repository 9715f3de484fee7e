import { fc, test as property } from '@fast-check/vitest'
import { isRight } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { expect, test } from 'vitest'
import { explainDecode } from '../../../src/codecs/json/explainDecode.ts'
import { jsonRecord, present } from '../../../src/codecs/json/jsonCodecs.ts'
import { JsonNumber } from '../../../src/codecs/json/jsonNumber.ts'

const keyValue = t.union([t.string, t.number])
const requestV1 = t.type({ keyspace: t.string, tableName: t.string, pk: keyValue, payload: present })
const requestV2 = t.type({
  keyspace: t.string,
  tableName: t.string,
  primaryKey: jsonRecord(keyValue),
  payload: present,
})
const request = t.union([requestV1, requestV2])
const start = { keyspace: 'ks1', tableName: 'users' }

test.each([
  ['a good first version', { ...start, pk: '1', payload: null }, undefined],
  ['a good second version', { ...start, primaryKey: {}, payload: 1 }, undefined],
  [
    'a bad part of a key',
    { ...start, primaryKey: { user_id: [] }, payload: 1 },
    'primaryKey.user_id: expected string | number, got array',
  ],
  [
    'a null part of a key',
    { ...start, primaryKey: { a: 1, b: null }, payload: 1 },
    'primaryKey.b: expected string | number, got null',
  ],
  ['a key that is no object', { ...start, primaryKey: 'x', payload: 1 }, 'primaryKey: expected object, got string'],
  ['a bad pk', { ...start, pk: {}, payload: 1 }, 'pk: expected string | number, got object'],
  ['a missing payload', { ...start, primaryKey: {} }, 'payload: is missing, expected JSON value'],
  [
    'no key at all',
    { ...start, payload: 1 },
    'pk: is missing, expected string | number; or primaryKey: is missing, expected object',
  ],
  ['a missing keyspace', { tableName: 'a', pk: 1, payload: 1 }, 'keyspace: is missing, expected string'],
  ['an empty object', {}, 'keyspace: is missing, expected string'],
  ['an array', [], 'value: expected object, got array'],
  ['null', null, 'value: expected object, got null'],
  [
    'an exact number',
    { ...start, pk: new JsonNumber('1.10'), payload: 1 },
    'pk: expected string | number, got a number that a double does not hold exactly',
  ],
])('of a union, %s is explained by the branch that got furthest', (_, value, sentence) => {
  expect(explainDecode(request, value)).toBe(sentence)
})

test.each<[string, t.Mixed, unknown, string | undefined]>([
  [
    'an element by its index',
    t.type({ a: t.array(t.type({ b: t.string })) }),
    { a: [{ b: '' }, {}] },
    'a[1].b: is missing, expected string',
  ],
  ['a tuple by its index', t.tuple([t.string, t.number]), ['a', 'b'], '[1]: expected number, got string'],
  ['a tuple that is too long, which io-ts cuts', t.tuple([t.string]), ['a', 'b'], undefined],
  ['a refinement by its name', t.type({ a: t.Int }), { a: 1.5 }, 'a: expected Int, got number'],
  [
    'a literal',
    t.type({ a: t.union([t.literal('x'), t.literal('y')]) }),
    { a: 'z' },
    'a: expected "x" | "y", got string',
  ],
  ['an optional member of a wrong type', t.partial({ a: t.string }), { a: 1 }, 'a: expected string, got number'],
  ['an optional member that is absent', t.partial({ a: t.string }), {}, undefined],
  [
    'a part of an intersection',
    t.intersection([t.type({ a: t.string }), t.partial({ b: t.string })]),
    { a: '', b: 1 },
    'b: expected string, got number',
  ],
  ['a record', t.record(t.string, t.number), { a: 1, b: 'x' }, 'b: expected number, got string'],
  [
    'a record with a fixed set of keys',
    t.record(t.keyof({ x: null, y: null }), t.number),
    { x: 1 },
    'y: is missing, expected number',
  ],
  ['a stripped object', t.exact(t.type({ a: t.string })), { a: 1 }, 'a: expected string, got number'],
  ['a readonly array', t.readonlyArray(t.string), [1], '[0]: expected string, got number'],
])('%s is named', (_, codec, value, sentence) => {
  expect(explainDecode(codec, value)).toBe(sentence)
})

test('a recursive codec is followed to the fault', () => {
  interface Tree {
    readonly children: readonly Tree[]
  }
  const tree: t.Type<Tree> = t.recursion('Tree', () => t.type({ children: t.readonlyArray(tree) }))
  expect(explainDecode(tree, { children: [{ children: [] }, { children: 0 }] })).toBe(
    'children[1].children: expected array, got number',
  )
})

test('a codec that wraps others out of sight is explained by its own first error', () => {
  const inner = t.type({ a: t.string })
  const hidden = new t.Type('Hidden', inner.is, (value, context) => inner.validate(value, context), t.identity)
  expect(explainDecode(t.type({ x: hidden }), { x: { a: 5 } })).toBe('x.a: expected string, got number')
})

test('hostile keys are escaped and cut', () => {
  const record = jsonRecord(t.string)
  expect(explainDecode(record, { 'a"\n\u202e\\': 1 })).toBe('["a\\"\\u000a\\u202e\\\\"]: expected string, got number')
  expect(explainDecode(record, { ['k'.repeat(10_000)]: 1 })).toBe(`["${'k'.repeat(40)}…"]: expected string, got number`)
  expect(explainDecode(record, JSON.parse('{"__proto__":1}'))).toBe('__proto__: expected string, got number')
})

test('a long path is cut in its middle, so that the reason stays', () => {
  interface Nested {
    readonly [key: string]: Nested
  }
  const nested: t.Type<Nested> = t.recursion('Nested', () => jsonRecord(nested))
  let value: unknown = 1
  for (let depth = 0; depth < 250; depth += 1) value = { [`step${String(depth)}`]: value }
  const sentence = explainDecode(nested, value) ?? ''
  expect(sentence).toMatch(/^step249\.step248\..*….*\.step0: expected object, got number$/)
  expect(sentence.length).toBeLessThanOrEqual(300)
})

test('a million bad elements cost one sentence', () => {
  expect(explainDecode(t.array(t.string), new Array<null>(1_000_000).fill(null))).toBe('[0]: expected string, got null')
})

property.prop([
  fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        keyspace: fc.jsonValue(),
        tableName: fc.string(),
        pk: fc.jsonValue(),
        primaryKey: fc.dictionary(fc.string(), fc.jsonValue()),
        payload: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  ),
])('a value is explained exactly when decoding refuses it, in bounded printable text', (value) => {
  const sentence = explainDecode(request, value)
  expect(sentence === undefined).toBe(isRight(request.decode(value)))
  expect(sentence ?? '').toMatch(/^[\x20-\x7e…]{0,300}$/)
})
