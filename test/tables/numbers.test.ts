import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { decimalText, doubleText, floatText } from '../../src/tables/numbers.ts'

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

describe('floatText', () => {
  property.prop([fc.float({ noNaN: true, noDefaultInfinity: true })], { numRuns: 2_000 })(
    'writes the fewest digits that read back as the same 32-bit float',
    (number) => {
      const text = floatText(number) ?? ''
      expect(Math.fround(Number(text))).toBe(number)
      const digits = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '').length
      for (let fewer = 1; fewer < digits; fewer += 1) {
        expect(Math.fround(Number(number.toPrecision(fewer)))).not.toBe(number)
      }
    },
  )

  property.prop([fc.double({ min: -3e38, max: 3e38, noNaN: true })])(
    'rounds a double to the nearest float',
    (number) => {
      expect(floatText(number)).toBe(floatText(Math.fround(number)))
    },
  )
})

describe('doubleText', () => {
  property.prop([fc.double({ noNaN: true, noDefaultInfinity: true })])(
    'writes what reads back as the same double',
    (number) => {
      expect(Number(doubleText(number))).toBe(number)
    },
  )
})
