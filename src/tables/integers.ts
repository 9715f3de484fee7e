import { JsonNumber } from '../codecs/json/jsonNumber.ts'
import type { Conversion } from './conversion.ts'

/** Longest number text that is read: a bound on what a hostile varint or decimal costs where it is bound to a statement. */
export const maxNumberLength = 10_000

const integerText = /^([+-]?)([0-9]+)$/
const plainInteger = /^-?[1-9][0-9]*$/

/** The text of a JSON number, or of a string that may hold one; undefined for anything else, or beyond the bound. */
export function numberSource(value: unknown): string | undefined {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  const text = typeof value === 'string' ? value : value instanceof JsonNumber ? value.source : undefined
  return text === undefined || text.length > maxNumberLength ? undefined : text
}

/** The digits of an integer written as one: no fraction, no exponent. */
export const varintText: Conversion = (value) => {
  const text = numberSource(value)
  if (text === undefined || plainInteger.test(text)) return text
  const match = integerText.exec(text)
  if (match === null) return undefined
  const [, sign = '', written = ''] = match
  const digits = written.replace(/^0+(?=[0-9])/, '')
  return sign === '-' && digits !== '0' ? `-${digits}` : digits
}

const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n

/** As `varintText`, from -2^63 to 2^63 - 1. */
export const bigintText: Conversion = (value) => {
  if (Number.isSafeInteger(value)) return String(value)
  const text = varintText(value)
  if (text === undefined || text.length < 19) return text
  if (text.length > 20) return undefined
  const number = BigInt(text)
  return number >= minInt64 && number <= maxInt64 ? text : undefined
}

/** As `varintText`, for the signed integers of at most 32 bits. */
export function smallIntegerText(bits: 8 | 16 | 32): Conversion {
  const max = 2 ** (bits - 1) - 1
  const min = -max - 1
  return (value) => {
    if (typeof value === 'number') {
      return Number.isInteger(value) && value >= min && value <= max ? String(value) : undefined
    }
    const text = varintText(value)
    if (text === undefined || text.length > 11) return undefined
    const number = Number(text)
    return number >= min && number <= max ? text : undefined
  }
}
