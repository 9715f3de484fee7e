import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { nativeTypeNames } from '../../src/tables/cqlType.ts'
import { compileCqlEncoder, encodeCqlValue } from './encodeCqlValue.ts'
import { parseCqlType } from '../../src/tables/parseCqlType.ts'
import { columnConversion, valueCodec } from '../../src/tables/valueCodec.ts'
import { JsonNumber } from '../../src/codecs/json/jsonNumber.ts'
import { parseJson } from '../../src/codecs/json/parseJson.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { nativeType, nativeValue, typedValue } from './cqlArbitraries.ts'

const decode = (text: string): unknown => parseJson(text, { numbers: 'exact' })
const encode = (type: string, value: unknown): string => encodeCqlValue(parseCqlType(type), value)
const converts = (type: string, value: unknown): boolean => valueCodec(parseCqlType(type)).encode(value) !== undefined

/** What each type refuses of values that look as if they could be meant. */
const refused: Readonly<Record<string, readonly unknown[]>> = {
  ascii: ['é', 1, true, null, undefined],
  bigint: [
    '9223372036854775808',
    '-9223372036854775809',
    1.5,
    '1.0',
    new JsonNumber('1.0'),
    new JsonNumber('1e2'),
    '',
    ' 1',
    '0x1',
    true,
    [1],
    {},
  ],
  blob: ['0x0', 'ff', '', '0xgg', 255, [255]],
  boolean: [1, 0, null, 'yes'],
  counter: ['1.5', null],
  date: [
    '2024-02-30',
    '2023-02-29',
    '2024-13-01',
    '2024-00-10',
    '24-01-01',
    '+5881580-07-12',
    '-5877641-06-22',
    '-0000-01-01',
    '2024-01-01T00:00:00Z',
    19723,
  ],
  decimal: ['1,5', 'NaN', '1e99999999999', '1e2147483649', '', '0x10', true],
  double: ['1e400', new JsonNumber('1e400'), 'nan', '', ' 1', true],
  duration: ['', 'P', 'PT', '-', 'P1.5D', '1d1y', 'P2147483648D', '9223372036854775808ns', 'P1Y2', 5],
  float: ['3.5e38', 3.5e38, '', 'inf'],
  inet: [
    '256.1.1.1',
    '01.1.1.1',
    '1.2.3',
    'localhost',
    'fe80::1%eth0',
    '1::2::3',
    ':1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::ffff:1.2.3',
    '1:2:3:4:5:6:7::8:9',
    '',
    16909060,
  ],
  int: [
    '2147483648',
    2147483648,
    -2147483649,
    1.5,
    '1.0',
    new JsonNumber('1.0'),
    new JsonNumber('1e2'),
    NaN,
    '',
    true,
    [],
    {},
  ],
  smallint: [32768, '-32769', 0.5],
  text: [1, new JsonNumber('1.0'), true, null, ['a'], { a: 1 }, '\ud800', 'a\udc00b'],
  time: ['24:00:00', '12:60:00', '12:00', '12:00:00.', '12:00:00.1234567890', 43200],
  timestamp: [
    '2024-02-30T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T00:00:60Z',
    '2024-01-01T00:00:00+24:00',
    '1700000000000',
    '2024-1-1',
    '',
    1.5,
    new JsonNumber('9223372036854775808'),
    '+292278994-08-17T07:12:55.808Z',
    true,
  ],
  timeuuid: ['550e8400-e29b-41d4-a716-446655440000', '', 'now'],
  tinyint: [128, -129, '128'],
  uuid: ['550e8400e29b41d4a716446655440000', '{550e8400-e29b-41d4-a716-446655440000}', '', 5],
  varint: ['1.0', new JsonNumber('1e30'), '1'.repeat(10_001), '', '--1', 1e21],
  'list<int>': [[1, null], ['a'], 1, '1', { 0: 1 }],
  'set<text>': [[1], [null], 'a'],
  'map<text, int>': [
    { a: null },
    { a: 'x' },
    [
      ['a', 1],
      ['a', 2],
    ],
    [['a']],
    'a',
  ],
  'map<uuid, int>': [{ '550e8400-e29b-41d4-a716-446655440000': 1, '550E8400-E29B-41D4-A716-446655440000': 2 }],
  'map<boolean, int>': [{ yes: 1 }],
  'map<tuple<int>, int>': [{ '[1]': 1 }],
  'tuple<int, text>': [[1], [1, 'a', null], { 0: 1 }],
  'vector<float, 2>': [[1], [1, 2, 3], [1, null]],
}

/** Value and canonical text, beyond the examples in docs/row-encoding.md. */
const accepted: readonly (readonly [type: string, value: unknown, text: string])[] = [
  ['int', new JsonNumber('-0'), '0'],
  ['int', -0, '0'],
  ['bigint', '9223372036854775807', '"9223372036854775807"'],
  ['bigint', new JsonNumber('-9223372036854775808'), '"-9223372036854775808"'],
  ['bigint', 9007199254740993n.toString(), '"9007199254740993"'],
  ['varint', new JsonNumber('123456789012345678901234567890'), '"123456789012345678901234567890"'],
  ['decimal', '-0.00', '"0.00"'],
  ['decimal', '0e3', '"0E+3"'],
  ['decimal', '0.0000001', '"1E-7"'],
  ['decimal', '0.000001', '"0.000001"'],
  ['decimal', '123e3', '"1.23E+5"'],
  ['decimal', '123E-2', '"1.23"'],
  ['decimal', '1e-2147483647', '"1E-2147483647"'],
  ['decimal', 1e21, '"1E+21"'],
  ['double', Number.NaN, '"NaN"'],
  ['double', 5e-324, '5e-324'],
  ['double', 1e21, '1e+21'],
  ['float', 16777217, '16777216'],
  ['float', 1.4e-45, '1e-45'],
  ['float', '3.4028235e38', '3.4028235e+38'],
  ['text', 'a\u007f\u2028/"\\\u0001', '"a\u007f\u2028/\\"\\\\\\u0001"'],
  ['text', '', '""'],
  ['timestamp', new JsonNumber('9223372036854775807'), '"+292278994-08-17T07:12:55.807Z"'],
  ['timestamp', new JsonNumber('-9223372036854775808'), '"-292275055-05-16T16:47:04.192Z"'],
  ['timestamp', 8_640_000_000_000_001, '"+275760-09-13T00:00:00.001Z"'],
  ['timestamp', '2024-02-29 23:30-01:00', '"2024-03-01T00:30:00.000Z"'],
  ['timestamp', '2024-01-01T00:00:00.120000Z', '"2024-01-01T00:00:00.120Z"'],
  ['date', '+02024-01-01', '"2024-01-01"'],
  ['duration', '-1y2mo3w4d5h6m7s8ms9us10ns', '"-P1Y2M25DT5H6M7.00800901S"'],
  ['duration', 'PT2562047H47M16.854775807S', '"PT2562047H47M16.854775807S"'],
  ['duration', '-9223372036854775808ns', '"-PT2562047H47M16.854775808S"'],
  ['inet', '2001:DB8:0:0:1:0:0:1', '"2001:db8::1:0:0:1"'],
  ['inet', '1:0:2:3:4:5:6:7', '"1:0:2:3:4:5:6:7"'],
  ['inet', '::', '"::"'],
  ['inet', '1::', '"1::"'],
  ['inet', '0:0:0:0:0:FFFF:0102:0304', '"1.2.3.4"'],
  ['set<int>', ['10', 9, 1, 10], '[1,10,9]'],
  ['set<text>', ['a!', 'a', '\u{1f600}', '\uffee'], '["a","a!","\u{1f600}","\uffee"]'],
  [
    'map<bigint, text>',
    [
      [2, 'b'],
      ['10', 'a'],
    ],
    '{"10":"a","2":"b"}',
  ],
  [
    'map<boolean, int>',
    [
      [true, 1],
      [false, 0],
    ],
    '{"false":0,"true":1}',
  ],
  ['map<double, int>', { NaN: 1, '1.50': 2 }, '{"1.5":2,"NaN":1}'],
  ['map<text, int>', JSON.parse('{"__proto__":1,"constructor":2}'), '{"__proto__":1,"constructor":2}'],
  [
    'map<frozen<list<int>>, int>',
    [
      [[2], 1],
      [[10], 2],
    ],
    '[[[10],2],[[2],1]]',
  ],
  ['list<frozen<list<int>>>', [[]], '[[]]'],
]

describe('encodeCqlValue', () => {
  test.each(accepted.map(([type, value, text]) => ({ type, value, text })))(
    'writes $text for a $type',
    ({ type, value, text }) => {
      expect(encode(type, value)).toBe(text)
      expect(encode(type, decode(text))).toBe(text)
    },
  )

  test.each(Object.entries(refused))('refuses what is no %s', (type, values) => {
    expect(values.filter((value) => converts(type, value))).toEqual([])
  })

  test.each(nativeTypeNames)('reads its own text of a %s and gives it again', (name) => {
    const type = nativeType(name)
    fc.assert(
      fc.property(nativeValue(name), (value) => {
        const text = encodeCqlValue(type, value)
        expect(encodeCqlValue(type, decode(text))).toBe(text)
        expect(text.isWellFormed()).toBe(true)
      }),
    )
  })

  property.prop([typedValue])('reads its own text of any type and gives it again', ({ type, value }) => {
    const text = encodeCqlValue(type, value)
    expect(encodeCqlValue(type, decode(text))).toBe(text)
    expect(text).not.toMatch(/[\u0000-\u001f]/)
  })

  property.prop([fc.constantFrom(...nativeTypeNames), fc.anything({ withBigInt: true, withDate: true })])(
    'never throws anything but invalid-value, whatever the value',
    (name, value) => {
      try {
        expect(typeof encodeCqlValue(nativeType(name), value)).toBe('string')
      } catch (error) {
        expect(error).toBeInstanceOf(TidemarkError)
        expect(error).toMatchObject({ code: 'invalid-value' })
      }
    },
  )

  property.prop([fc.string({ unit: 'binary' })])('writes text exactly as JSON.stringify does', (text) => {
    expect(encode('text', text)).toBe(JSON.stringify(text))
  })

  property.prop([fc.array(fc.string({ unit: 'binary' }))])(
    'orders and thins out a set whatever its order',
    (elements) => {
      const text = encode('set<text>', elements)
      expect(text).toBe(JSON.stringify([...new Set(elements)].sort()))
      expect(encode('set<text>', elements.toReversed())).toBe(text)
    },
  )

  test('names the innermost value that does not fit, what was expected and where it stands', () => {
    const type = parseCqlType('map<text, frozen<list<tuple<int, text>>>>')
    let thrown: unknown
    try {
      compileCqlEncoder(type)({
        good: [],
        bad: [
          [1, 'x'],
          [2, 3],
        ],
      })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({
      code: 'invalid-value',
      message:
        'The value 3 (at ["bad"][1][1]) does not fit type map<text, frozen<list<tuple<int, text>>>>: expected a string without lone surrogates.',
      details: { expected: 'a string without lone surrogates', path: '["bad"][1][1]' },
    })
  })

  test('keeps the message of a huge value short', () => {
    expect(() => encode('int', '9'.repeat(1_000_000))).toThrow(/^.{0,250}$/)
    expect(() =>
      encode(
        'int',
        Array.from({ length: 100_000 }, () => []),
      ),
    ).toThrow(/^.{0,250}$/)
  })

  test('turns an empty column of cells into null, but not an empty value inside or a frozen one', () => {
    const column = (type: string, value: unknown): string | undefined => columnConversion(parseCqlType(type))(value)
    expect(['list<int>', 'set<int>', 'map<int, int>'].map((type) => column(type, []))).toEqual(['null', 'null', 'null'])
    expect(column('map<text, int>', {})).toBe('null')
    expect(column('frozen<list<int>>', [])).toBe('[]')
    expect(column('frozen<map<text, int>>', {})).toBe('{}')
    expect(column('tuple<list<int>>', [[]])).toBe('[[]]')
  })

  test('turns a user-defined type of cells that are all null into null', () => {
    const fields = [{ name: 'zip', type: nativeType('int') }]
    const column = columnConversion({ kind: 'udt', name: 'a', fields, frozen: false })
    expect([column({}), column({ zip: null }), column({ zip: 1 }), column({ zap: 1 })]).toEqual([
      'null',
      'null',
      '{"zip":1}',
      undefined,
    ])
    expect(columnConversion({ kind: 'udt', name: 'a', fields, frozen: true })({})).toBe('{"zip":null}')
  })
})
