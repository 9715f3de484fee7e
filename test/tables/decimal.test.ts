import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { decimalText } from '../../src/tables/decimal.ts'

const scale = fc.oneof(fc.integer({ min: -12, max: 12 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))

describe('decimalText', () => {
  property.prop([fc.bigInt(-(10n ** 12n), 10n ** 12n), scale, fc.bigInt(-20n, 20n), scale])(
    'gives two decimals one text only when unscaled value and scale are equal',
    (unscaled, firstScale, otherUnscaled, otherScale) => {
      const text = (digits: bigint, places: number): string | undefined =>
        decimalText(`${String(digits)}E${String(-places)}`)
      const first = text(unscaled, firstScale)
      expect(first).toBeTypeOf('string')
      expect(decimalText(first)).toBe(first)
      expect(first === text(otherUnscaled, otherScale)).toBe(unscaled === otherUnscaled && firstScale === otherScale)
      expect(first === text(unscaled, otherScale)).toBe(firstScale === otherScale)
    },
  )

  test('stays short and quick for a huge scale, and refuses one that Cassandra cannot hold', () => {
    expect(decimalText('1E+2147483648')).toBe('1E+2147483648')
    expect(decimalText('1E+2147483649')).toBeUndefined()
    expect(decimalText('1E-2147483648')).toBeUndefined()
    expect(decimalText('9'.repeat(9_901))).toBeUndefined()
    const long = decimalText(`-${'9'.repeat(9_900)}E+2147483648`)
    expect(decimalText(long)).toBe(long)
  })
})
