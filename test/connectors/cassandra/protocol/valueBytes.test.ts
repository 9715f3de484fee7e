import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { nativeTypeNames, type CqlType } from '../../../../src/tables/cqlType.ts'
import { parseCqlType } from '../../../../src/tables/parseCqlType.ts'
import { valueCodec } from '../../../../src/tables/valueCodec.ts'
import { byteDecoder, encodeCanonical } from '../../../../src/connectors/cassandra/protocol/valueBytes.ts'
import { nativeType, nativeValue, typedValue } from '../../../tables/cqlArbitraries.ts'

describe('bytes of a value', () => {
  test.prop([typedValue], { numRuns: 2_000 })(
    'are read back to the same canonical text, for every type',
    ({ type, value }) => {
      const { encode } = valueCodec(type)
      const text = encode(value)
      if (text === undefined) return
      expect(encode(byteDecoder(type)(encodeCanonical(type, text)))).toBe(text)
    },
  )

  for (const name of nativeTypeNames) {
    test.prop([nativeValue(name)])(`of type ${name} are read back to the same canonical text`, (value) => {
      const { encode } = valueCodec(nativeType(name))
      const text = encode(value)
      expect(text).toBeDefined()
      if (text === undefined) return
      expect(encode(byteDecoder(nativeType(name))(encodeCanonical(nativeType(name), text)))).toBe(text)
    })
  }

  // As Cassandra 5.0.6 answered a SELECT of such columns after an INSERT with CQL literals.
  test.each([
    ['ascii', '"a~"', '617e'],
    ['bigint', '"9007199254740993"', '0020000000000001'],
    ['blob', '"0xdeadbeef"', 'deadbeef'],
    ['boolean', 'true', '01'],
    ['date', '"2024-02-29"', '80004d46'],
    ['decimal', '"1234.500"', '0000000312d644'],
    ['decimal', '"-1E+3"', 'fffffffdff'],
    ['double', '-0', '8000000000000000'],
    ['duration', '"P1Y2M3DT4H5M6.007S"', '1c06fc1ac004a58780'],
    ['duration', '"-P14D"', '001b00'],
    ['float', '0.1', '3dcccccd'],
    ['inet', '"192.0.2.1"', 'c0000201'],
    ['inet', '"2001:db8::1"', '20010db8000000000000000000000001'],
    ['int', '-2147483648', '80000000'],
    ['smallint', '32767', '7fff'],
    ['tinyint', '-128', '80'],
    ['list<int>', '[3,1]', '0000000200000004000000030000000400000001'],
    ['set<text>', '["a","b"]', '0000000200000001610000000162'],
    ['map<text, int>', '{"one":1}', '00000001000000036f6e650000000400000001'],
    ['time', '"08:30:00.500000000"', '00001bd4bbeeb500'],
    ['timestamp', '"2024-02-29T11:37:00.000Z"', '0000018df4a74760'],
    ['tuple<int, text, boolean>', '[1,null,false]', '0000000400000001ffffffff0000000100'],
    ['uuid', '"550e8400-e29b-41d4-a716-446655440000"', '550e8400e29b41d4a716446655440000'],
    ['varint', '"128"', '0080'],
    ['varint', '"-129"', 'ff7f'],
    ['varint', '"123456789012345678901234567890"', '018ee90ff6c373e0ee4e3f0ad2'],
    ['vector<float, 2>', '[0.5,-1.25]', '3f000000bfa00000'],
    ['vector<smallint, 2>', '[1,2]', '020001020002'],
    ['vector<tinyint, 2>', '[1,2]', '01010102'],
    ['vector<date, 1>', '["1970-01-01"]', '0480000000'],
    ['vector<time, 1>', '["00:00:00.000000000"]', '080000000000000000'],
    ['vector<text, 1>', '["ab"]', '026162'],
    ['vector<inet, 1>', '["1.2.3.4"]', '0401020304'],
    ['vector<decimal, 1>', '["1.0"]', '05000000010a'],
    ['vector<varint, 1>', '["1"]', '0101'],
    ['vector<boolean, 2>', '[true,false]', '0100'],
    ['vector<timestamp, 1>', '["1970-01-01T00:00:00.000Z"]', '0000000000000000'],
    ['vector<double, 1>', '[1]', '3ff0000000000000'],
    ['vector<bigint, 1>', '["1"]', '0000000000000001'],
    ['vector<timeuuid, 1>', '["c2b8f1e0-5b2a-11ef-9a35-0242ac120002"]', 'c2b8f1e05b2a11ef9a350242ac120002'],
    ['vector<duration, 1>', '["P1D"]', '03000200'],
    ['vector<vector<int, 2>, 1>', '[[1,2]]', '0000000100000002'],
    ['vector<vector<text, 2>, 1>', '[["a","b"]]', '0401610162'],
    ['vector<tuple<int, int>, 1>', '[[1,2]]', '1000000004000000010000000400000002'],
    ['vector<list<int>, 1>', '[[1,2]]', '140000000200000004000000010000000400000002'],
  ])('of type %s and text %s are %s', (typeText, text, hex) => {
    const type = parseCqlType(typeText)
    expect(encodeCanonical(type, text).toString('hex')).toBe(hex)
    expect(valueCodec(type).encode(byteDecoder(type)(Buffer.from(hex, 'hex')))).toBe(text)
  })

  const noBytes = '00000000'
  for (const name of nativeTypeNames) {
    const keeps = name === 'text' || name === 'ascii' ? '""' : name === 'blob' ? '"0x"' : null
    test(`of no bytes and type ${name} are null in a tuple and a user-defined type, and no element of a collection`, () => {
      const inner = nativeType(name)
      const read = (type: CqlType, hex: string): string | undefined =>
        valueCodec(type).encode(byteDecoder(type)(Buffer.from(hex, 'hex')))
      const tuple: CqlType = { kind: 'tuple', elements: [inner, nativeType('int')] }
      const udt: CqlType = { kind: 'udt', name: 'u', fields: [{ name: 'a', type: inner }], frozen: true }
      expect(read(tuple, `${noBytes}0000000400000001`)).toBe(`[${keeps ?? 'null'},1]`)
      expect(read(udt, noBytes)).toBe(`{"a":${keeps ?? 'null'}}`)
      for (const kind of ['list', 'set'] as const) {
        expect(read({ kind, element: inner, frozen: true }, `00000001${noBytes}`)).toBe(
          keeps === null ? undefined : `[${keeps}]`,
        )
      }
      const map: CqlType = { kind: 'map', key: nativeType('text'), value: inner, frozen: true }
      expect(read(map, `00000001${noBytes}${noBytes}`)).toBe(keeps === null ? undefined : `{"":${keeps}}`)
    })
  }

  test.prop([typedValue, fc.nat()])(
    'that end too early are refused or give a value, and never loop or read beyond',
    ({ type, value }, cut) => {
      const text = valueCodec(type).encode(value)
      if (text === undefined) return
      const bytes = encodeCanonical(type, text)
      const shortened = bytes.subarray(0, bytes.length === 0 ? 0 : cut % bytes.length)
      try {
        byteDecoder(type)(shortened)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    },
  )
})
