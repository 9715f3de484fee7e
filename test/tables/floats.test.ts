import { fc, test as property } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { doubleText, floatText } from '../../src/tables/floats.ts'

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
