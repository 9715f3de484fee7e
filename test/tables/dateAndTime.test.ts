import { fc, test as property } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { civilFromDays, daysFromCivil, isCivilDate, timestampText } from '../../src/tables/dateAndTime.ts'
import { JsonNumber } from '../../src/codecs/json/jsonNumber.ts'

describe('timestampText', () => {
  property.prop([fc.date({ noInvalidDate: true })])('agrees with Date over its whole range', (moment) => {
    const iso = moment.toISOString()
    expect(timestampText(moment.getTime())).toBe(iso)
    expect(timestampText(iso)).toBe(iso)
    expect(timestampText(new JsonNumber(String(moment.getTime())))).toBe(iso)
  })

  property.prop([
    fc.date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true }),
    fc.integer({ min: -18 * 60, max: 18 * 60 }),
  ])('takes a zone into account', (moment, offsetMinutes) => {
    const shown = new Date(moment.getTime() + offsetMinutes * 60_000).toISOString().slice(0, -1)
    const two = (number: number): string => String(number).padStart(2, '0')
    const size = Math.abs(offsetMinutes)
    const zone = `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
    expect(timestampText(`${shown}${zone}`)).toBe(moment.toISOString())
  })

  property.prop([fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)])('reads back every moment that a 64-bit count has', (ms) => {
    const text = timestampText(new JsonNumber(String(ms)))
    expect(text).toBeTypeOf('string')
    expect(timestampText(text)).toBe(text)
  })

  property.prop([fc.string({ unit: fc.constantFrom(...'0123456789-:.TZ+ '.split('')), minLength: 10, maxLength: 30 })])(
    'takes no text for a moment that Date takes for none',
    (text) => {
      const read = timestampText(text)
      if (read !== undefined && text.endsWith('Z')) expect(Number.isNaN(Date.parse(read))).toBe(false)
    },
  )
})

describe('civilFromDays', () => {
  property.prop([fc.integer({ min: -2e11, max: 2e11 })])('is the inverse of daysFromCivil', (days) => {
    const { year, month, day } = civilFromDays(days)
    expect(isCivilDate(year, month, day)).toBe(true)
    expect(daysFromCivil(year, month, day)).toBe(days)
  })
})
