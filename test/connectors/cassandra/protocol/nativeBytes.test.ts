import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import {
  decodeSignedVint,
  decodeUnsignedVint,
  encodeSignedVint,
  encodeUnsignedVint,
} from '../../../../src/connectors/cassandra/protocol/nativeBytes.ts'

describe('a number of variable length', () => {
  test.prop([fc.bigInt(0n, 2n ** 64n - 1n), fc.uint8Array({ maxLength: 3 })])(
    'without a sign is read back, wherever it stands',
    (value, before) => {
      const bytes = Buffer.concat([before, encodeUnsignedVint(value), Buffer.from([0xff])])
      expect(decodeUnsignedVint(bytes, before.length)).toEqual({ value, end: bytes.length - 1 })
    },
  )

  test.prop([fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)])('with a sign is read back', (value) => {
    const bytes = encodeSignedVint(value)
    expect(decodeSignedVint(bytes, 0)).toEqual({ value, end: bytes.length })
  })

  test.each([
    [0n, '00'],
    [127n, '7f'],
    [128n, '8080'],
    [16_383n, 'bfff'],
    [16_384n, 'c04000'],
    [2n ** 56n - 1n, 'feffffffffffffff'],
    [2n ** 64n - 1n, 'ffffffffffffffffff'],
  ])('%s is %s', (value, hex) => {
    expect(encodeUnsignedVint(value).toString('hex')).toBe(hex)
  })

  test('that ends too early is refused', () => {
    expect(() => decodeUnsignedVint(Buffer.from('c040', 'hex'), 0)).toThrow(RangeError)
    expect(() => decodeUnsignedVint(Buffer.alloc(0), 0)).toThrow(RangeError)
  })
})
