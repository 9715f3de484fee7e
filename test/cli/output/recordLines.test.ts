import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { base64Line, jsonLine, rawLine, recordAsJson } from '../../../src/cli/output/recordLines.ts'
import { StreamRecord, type Header } from '../../../src/core/record.ts'

const bytes = fc.uint8Array({ maxLength: 12 }).map((part) => Buffer.from(part))
const textBytes = fc.string({ unit: 'grapheme' }).map((part) => Buffer.from(part))
const content = fc.option(fc.oneof(bytes, textBytes))

describe('a raw line', () => {
  test('is the value, byte for byte', () => {
    expect(rawLine(Buffer.from([0xff, 0x0d]), 1)).toEqual({
      key: null,
      value: Buffer.from([0xff, 0x0d]),
      headers: [],
      timestamp: null,
      partition: null,
    })
    expect(rawLine(Buffer.alloc(0), 1).value).toEqual(Buffer.alloc(0))
  })
})

describe('a base64 line', () => {
  property.prop([bytes])('gives its bytes back', (value) => {
    expect(base64Line(Buffer.from(value.toString('base64')), 1).value).toEqual(value)
  })

  test.each(['a', 'ab==c', 'a b=', 'QUJD-_', '!'])('of %j is refused with its number', (line) => {
    expect(() => base64Line(Buffer.from(line), 7)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: expect.stringContaining('Line 7') }),
    )
  })
})

describe('a JSON line', () => {
  const headers = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), content) satisfies fc.Arbitrary<Header>)

  property.prop([content, content, headers, fc.nat(), fc.nat({ max: 100 })])(
    'of a record that was read gives the same record when it is written',
    (key, value, recordHeaders, timestamp, partition) => {
      const record = new StreamRecord('t', partition, 5, timestamp, key, recordHeaders, value, value)
      const line = recordAsJson(record)
      expect(line).not.toContain('\n')
      expect(jsonLine(Buffer.from(line), 1)).toEqual({ key, value, headers: recordHeaders, timestamp, partition })
    },
  )

  test('has the members of the documentation in their order', () => {
    const record = new StreamRecord('t', 1, 2, 3, Buffer.from('k'), [['h', Buffer.from([0xff])]], null, null)
    expect(recordAsJson(record)).toBe(
      '{"topic":"t","partition":1,"offset":2,"timestamp":3,"key":"k","value":null,"headers":[["h",{"base64":"/w=="}]]}',
    )
    const binary = new StreamRecord('t', 1, 2, 3, null, [], Buffer.from([0xff]), null)
    expect(JSON.parse(recordAsJson(binary))).toMatchObject({ key: null, valueBase64: '/w==' })
  })

  test('needs no more than a value', () => {
    expect(jsonLine(Buffer.from('{"value":"v"}'), 1)).toEqual({
      key: null,
      value: Buffer.from('v'),
      headers: [],
      timestamp: null,
      partition: null,
    })
  })

  test.each([
    ['', 'is not JSON'],
    ['{', 'is not JSON'],
    ['[]', 'is not a JSON object'],
    ['null', 'is not a JSON object'],
    ['{"key":"k"}', 'has no member "value"'],
    ['{"value":{"id":1}}', 'not a string'],
    ['{"value":1}', 'not a string'],
    ['{"value":"a","valueBase64":"YQ=="}', 'has both'],
    ['{"valueBase64":"YQ"}', 'not base64'],
    ['{"valueBase64":1}', 'not a string'],
    ['{"value":"\\ud800"}', 'surrogate'],
    ['{"value":"v","headers":{}}', 'list of pairs'],
    ['{"value":"v","headers":[["a"]]}', 'not a pair'],
    ['{"value":"v","headers":[["a",1]]}', 'not a string'],
    ['{"value":"v","timestamp":-1}', 'timestamp'],
    ['{"value":"v","partition":1.5}', 'partition'],
    ['{"value":"v","partion":1}', 'Did you mean partition?'],
    ['{"value":"v","__proto__":1}', 'unknown member'],
  ])('%j is refused: %s', (line, reason) => {
    expect(() => jsonLine(Buffer.from(line), 3)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: expect.stringMatching(/^Line 3 /) }),
    )
    expect(() => jsonLine(Buffer.from(line), 3)).toThrow(reason)
  })

  test('that is not UTF-8, or nested a million deep, is refused and kills nothing', () => {
    expect(() => jsonLine(Buffer.from([0x22, 0xff, 0x22]), 1)).toThrow('UTF-8')
    const deep = `{"value":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`
    expect(() => jsonLine(Buffer.from(deep), 1)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })
})

describe('a byte order mark', () => {
  test('before the first line is the file’s, and left out', () => {
    expect(jsonLine(Buffer.from('\uFEFF{"value":"v"}'), 1).value?.toString()).toBe('v')
    expect(base64Line(Buffer.from('\uFEFFdg=='), 1).value?.toString()).toBe('v')
  })

  test('elsewhere is named, as is any other character that cannot be seen', () => {
    expect(() => jsonLine(Buffer.from('\uFEFF{"value":"v"}'), 2)).toThrow(
      'Line 2 is not JSON: it begins with a byte order mark (U+FEFF).',
    )
    expect(() => jsonLine(Buffer.from('\u200b{"value":"v"}'), 1)).toThrow(/Line 1 is not JSON: .*U\+200B/)
    expect(() => jsonLine(Buffer.from('\u00a0{"value":"v"}'), 1)).toThrow(/U\+00A0/)
  })

  test('of UTF-16 is named with its remedy', () => {
    const line = Buffer.from('\uFEFF{"value":"v"}', 'utf16le')
    expect(() => jsonLine(line, 1)).toThrow('it is UTF-16: save the file as UTF-8')
  })

  test('of a raw line is part of the value, whose bytes are kept as they are', () => {
    expect(rawLine(Buffer.from('\uFEFFa'), 1).value?.toString()).toBe('\uFEFFa')
  })
})
