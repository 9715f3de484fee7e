import { isDeepStrictEqual } from 'node:util'
import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { TidemarkError } from '../../../src/core/errors.ts'
import { JsonNumber } from '../../../src/codecs/json/jsonNumber.ts'
import { parseJson } from '../../../src/codecs/json/parseJson.ts'
import { jsonText, numberToken } from './arbitraryJson.ts'

const bothModes = ['double', 'exact'] as const

/** The error of a text that must be refused. */
function refusal(text: string, numbers: 'double' | 'exact', maxDepth = 256): TidemarkError {
  try {
    parseJson(text, { numbers, maxDepth })
  } catch (error) {
    if (error instanceof TidemarkError) return error
    throw error
  }
  throw new Error('the text was accepted')
}

/** The value with each `JsonNumber` replaced by the double of its text, member by member. */
function asDoubles(value: unknown): unknown {
  if (value instanceof JsonNumber) return Number(value.source)
  if (Array.isArray(value)) return value.map(asDoubles)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, asDoubles(member)]))
}

/** A valid text with each escape replaced by a character: `\uXXXX` by what it stands for, so that halves meet their halves. */
function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|.)/g, (_, unit?: string) =>
    unit === undefined ? ' ' : String.fromCharCode(Number.parseInt(unit, 16)),
  )
}

describe.each(bothModes)('in mode %s', (numbers) => {
  property.prop([jsonText])('a text means what JSON.parse says, key order and odd keys included', (text) => {
    const value = parseJson(text, { numbers })
    const expected: unknown = JSON.parse(text)
    // vitest's own equality trips over a member named constructor.
    expect(isDeepStrictEqual(asDoubles(value), expected)).toBe(true)
    expect(JSON.stringify(asDoubles(value))).toBe(JSON.stringify(expected))
  })

  const edit = fc.constantFrom('', '"', '\\', ',', '}', ']', '{', '0', '.', 'e', '\u0001', 'u', '1.10')
  property.prop([jsonText, fc.nat(), edit], {
    // A pair cut in a member that a later one of the same name hides.
    examples: [['{"a":"𐀀","a":10}', 6, '']],
  })('a text with one edit is refused exactly when JSON.parse refuses it', (text, seed, inserted) => {
    const at = seed % (text.length + 1)
    const edited = `${text.slice(0, at)}${inserted}${text.slice(at + (inserted === '' ? 1 : 0))}`
    let expected: unknown
    try {
      expected = JSON.parse(edited)
    } catch {
      expect(refusal(edited, numbers).code).toBe('malformed-json')
      return
    }
    // An edit may cut a surrogate pair, which JSON.parse lets pass. The text is looked at and not the value: of two members
    // with one name the value has only the last.
    if (edited.isWellFormed() && unescaped(edited).isWellFormed()) {
      expect(isDeepStrictEqual(asDoubles(parseJson(edited, { numbers })), expected)).toBe(true)
    } else {
      expect(refusal(edited, numbers).message).toMatch('half a surrogate pair')
    }
  })

  test.each([
    ['nothing', '', 1, 1],
    ['an open object', '{"a":1', 1, 7],
    ['a trailing comma', '{"a":1,}', 1, 8],
    ['a missing colon', '{"a" 1}', 1, 6],
    ['a leading zero', '{\n"a":01}', 2, 6],
    ['text after the end', '[1.10]\n\n x', 3, 2],
    ['a bad escape', '["ab\\x"]', 1, 5],
    ['a control character', '["a\u0001"]', 1, 4],
    ['a string without end', '["secret', 1, 9],
    ['a cut word', '[nul]', 1, 2],
    ['NaN', 'NaN', 1, 1],
  ])('%s is malformed, with its place and without its text', (_, text, line, column) => {
    const error = refusal(text, numbers)
    expect(error.code).toBe('malformed-json')
    expect(error.message).toMatch(`The value is not valid JSON at line ${String(line)}, column ${String(column)}: `)
    expect(error.message).not.toContain('secret')
  })

  test('256 levels are accepted and 257 are too deep', () => {
    const nested = (levels: number): string => `${'[{"a":'.repeat(levels / 2)}1.10${'}]'.repeat(levels / 2)}`
    expect(parseJson(nested(256), { numbers })).toBeInstanceOf(Array)
    expect(refusal(`[${nested(256)}]`, numbers).code).toBe('too-deep')
    expect(refusal(nested(12), numbers, 11).code).toBe('too-deep')
  })

  test('brackets inside strings are no levels', () => {
    const text = JSON.stringify(['['.repeat(1_000), `\\"${'{'.repeat(1_000)}`])
    expect(parseJson(text, { numbers, maxDepth: 1 })).toEqual(JSON.parse(text))
  })

  test.each([
    ['open only', '['.repeat(1_000_000)],
    ['closed', `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`],
    ['objects', `${'{"a":'.repeat(1_000_000)}1.10${'}'.repeat(1_000_000)}`],
  ])('a million levels (%s) fail without a stack overflow, whatever the limit', (_, text) => {
    expect(refusal(text, numbers).code).toBe('too-deep')
    expect(refusal(text, numbers, Number.POSITIVE_INFINITY).code).toBe('too-deep')
  })

  test('of duplicate keys the last wins, in each order of exact and inexact numbers', () => {
    expect(asDoubles(parseJson('{"a":1.10,"a":[1.0],"b":9007199254740993,"a":2}', { numbers }))).toStrictEqual(
      JSON.parse('{"a":1.10,"a":[1.0],"b":9007199254740993,"a":2}'),
    )
  })

  test('keys named like members of Object stay own members and touch no prototype', () => {
    const value = parseJson('{"__proto__":{"polluted":1.10},"constructor":1,"a":{"__proto__":null}}', { numbers })
    expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor', 'a'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect('polluted' in (value as object)).toBe(false)
    expect(Object.getPrototypeOf((value as { a: object }).a)).toBe(Object.prototype)
  })

  test.each([
    ['a high half', '["\\ud800"]', 3],
    ['a low half', '["\\uDC00", 1.10]', 3],
    ['halves in the wrong order', '["\\udc00\\ud800"]', 3],
    ['a high half before a letter', '{"k\\uD83Dx":1.10}', 4],
    ['two high halves', '["\\ud83d\\ud83d\\ude00"]', 3],
  ])('%s of a surrogate pair is refused', (_, text, column) => {
    const error = refusal(text, numbers)
    expect(error.code).toBe('malformed-json')
    expect(error.details['column']).toBe(column)
  })

  test('whole pairs and escaped backslashes before u are accepted', () => {
    const text = '["\\ud83d\\ude00","\\\\ud800","😀\\u00e9",1.10]'
    expect(asDoubles(parseJson(text, { numbers }))).toEqual(JSON.parse(text))
  })

  test('a text that is not well-formed itself is refused', () => {
    expect(refusal('"\ud800"', numbers).code).toBe('malformed-json')
  })
})

property.prop([numberToken])('a number is exact: a double that prints as its text, or its text', (token) => {
  const value = parseJson(`{"a": ${token} ,"b":[${token}]}`, { numbers: 'exact' }) as { a: unknown; b: unknown[] }
  const expected = String(Number(token)) === token ? Number(token) : new JsonNumber(token)
  expect(value.a).toStrictEqual(expected)
  expect(value.b).toStrictEqual([expected])
  expect(parseJson(token, { numbers: 'exact' })).toStrictEqual(expected)
})

test('mode double gives every number as JSON.parse does', () => {
  expect(parseJson('[9007199254740993,1.10,-0,1e400]')).toStrictEqual([9007199254740992, 1.1, -0, Infinity])
})

test('a huge message of any kind ends as a value', () => {
  const hundredThousand = 100_000
  const values = [
    parseJson(`"${'\\"'.repeat(hundredThousand)}"`, { numbers: 'exact' }),
    parseJson(`"${'\\\\'.repeat(hundredThousand)}"`, { numbers: 'exact' }),
    parseJson('9'.repeat(hundredThousand), { numbers: 'exact' }),
    parseJson(`[${'1.10,'.repeat(hundredThousand)}0]`, { numbers: 'exact' }),
  ]
  expect(values.map((value) => (typeof value === 'string' ? value.length : typeof value))).toEqual([
    hundredThousand,
    hundredThousand,
    'object',
    'object',
  ])
})
