import { isDeepStrictEqual } from 'node:util'
import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { memberSource } from '../../../src/codecs/json/memberSource.ts'
import { jsonText, objectText } from './arbitraryJson.ts'

property.prop([objectText, fc.string()])(
  'the source of each member parses to what JSON.parse has there',
  (text, other) => {
    const parsed = JSON.parse(text) as Record<string, unknown>
    for (const [name, value] of Object.entries(parsed)) {
      const source = memberSource(text, name)
      expect(source).toBe(source?.trim())
      // vitest's own equality trips over a member named constructor.
      expect(isDeepStrictEqual(JSON.parse(source ?? ''), value)).toBe(true)
    }
    expect(memberSource(text, other) !== undefined).toBe(Object.hasOwn(parsed, other))
  },
)

property.prop([jsonText])('the members of a text are the keys of its object, and none of anything else', (text) => {
  const parsed: unknown = JSON.parse(text)
  const keys = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? Object.keys(parsed) : []
  const found = [...keys, ...['0', 'length', 'payload']].filter((name) => memberSource(text, name) !== undefined)
  expect(new Set(found)).toEqual(new Set(keys))
})

test.each([
  [
    'digits and spelling survive',
    '{"payload": {"b":1.10,"a":9007199254740993 , "b":2} }',
    '{"b":1.10,"a":9007199254740993 , "b":2}',
  ],
  ['an escaped key counts', '{"pay\\u006coad":1}', '1'],
  ['the last duplicate wins, escaped or not', '{"payload":1,"pay\\u006Coad" :\t"two\\n" }', '"two\\n"'],
  ['a member further in does not count', '{"a":{"payload":1},"b":["payload",{"payload":2}]}', undefined],
  ['a string that looks like a member does not count', '{"a":"\\",\\"payload\\":1","payload":null}', 'null'],
  ['an escaped backslash ends no string early', '{"a\\\\":"\\\\","payload":-0}', '-0'],
  ['a key with an escape of the same length is another key', '{"payl\\n":1,"a":2}', undefined],
  ['a longer key is another key', '{"payload2":1,"xpayload":2}', undefined],
  ['an empty object has none', ' { } ', undefined],
  ['an array has none', '["payload", 1]', undefined],
])('%s', (_, text, expected) => {
  expect(memberSource(text, 'payload')).toBe(expected)
})

test('a deep value is walked without recursion', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  expect(memberSource(`{"a":${deep},"payload":${deep}}`, 'payload')).toBe(deep)
})

test('members of a nested object are found in its source', () => {
  const row = memberSource('{"row": {"id":1.0,"name":"x"}}', 'row') ?? ''
  expect(['id', 'name'].map((name) => memberSource(row, name))).toEqual(['1.0', '"x"'])
})
