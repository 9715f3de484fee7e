import { JsonNumber } from '../codecs/json/jsonNumber.ts'
import type { Conversion } from './cqlType.ts'

/** Longest number text that is read: a bound on what a hostile varint or decimal costs where it is bound to a statement. */
const maxNumberLength = 10_000

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

const decimalSource = /^([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,10}))?$/
const minScale = -(2 ** 31)
const maxScale = 2 ** 31 - 1
/** Less than the longest number text by more than point, sign and exponent take, so that each text reads back. */
const maxDigits = 9_900

/**
 * A decimal is an unscaled integer and a scale, both of which Cassandra keeps: 1.0 and 1.00 differ. The text is that of
 * Java's `BigDecimal.toString()`, which maps each pair to a text of its own: plain digits when the scale is not
 * negative and at most six zeros follow the point, else scientific (`1E+3`, `1E-7`), so that a huge scale stays short.
 */
export const decimalText: Conversion = (value) => {
  const source = numberSource(value)
  const match = source === undefined ? null : decimalSource.exec(source)
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const scale = fraction.length - Number(exponent)
  if (scale < minScale || scale > maxScale) return undefined
  const digits = `${whole}${fraction}`.replace(/^0+(?=[0-9])/, '')
  if (digits.length > maxDigits) return undefined
  const text = unsignedText(digits, scale)
  return sign === '-' && digits !== '0' ? `-${text}` : text
}

function unsignedText(digits: string, scale: number): string {
  if (scale === 0) return digits
  const exponent = digits.length - 1 - scale
  if (scale > 0 && exponent >= -6) {
    const padded = digits.padStart(scale + 1, '0')
    return `${padded.slice(0, -scale)}.${padded.slice(-scale)}`
  }
  const mantissa = digits.length === 1 ? digits : `${digits.slice(0, 1)}.${digits.slice(1)}`
  return `${mantissa}E${exponent > 0 ? '+' : ''}${String(exponent)}`
}

const numberText = /^[+-]?(?=\.?[0-9])[0-9]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?$/
const nonFinite: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity'])
const smallestNormalFloat = 2 ** -126

/** Shortest text that reads back as the double, as ECMAScript writes it; -0 keeps its sign. */
function shortestDouble(number: number): string {
  return Object.is(number, -0) ? '-0' : String(number)
}

/**
 * Shortest text that reads back as the 32-bit float: the fewest significant digits that, read as a double and rounded
 * to a float, give it again. Nine always do; six always suffice to find any shorter one unless the float is subnormal.
 */
function shortestFloat(number: number): string {
  if (number === 0) return shortestDouble(number)
  for (let digits = Math.abs(number) < smallestNormalFloat ? 1 : 6; digits < 9; digits += 1) {
    const candidate = Number(number.toPrecision(digits))
    if (Math.fround(candidate) === number) return String(candidate)
  }
  return String(Number(number.toPrecision(9)))
}

function floating(round: (number: number) => number, format: (number: number) => string): Conversion {
  return (value) => {
    const text = numberSource(value)
    if (text === undefined) return undefined
    if (nonFinite.has(text)) return text
    if (!numberText.test(text)) return undefined
    const number = round(Number(text))
    // What overflows is not the value that was sent.
    return Number.isFinite(number) ? format(number) : undefined
  }
}

export const doubleText: Conversion = floating((number) => number, shortestDouble)
export const floatText: Conversion = floating(Math.fround, shortestFloat)

/** The JSON of a float's text: a number, or a string for what JSON has no number for. */
export function floatJson(text: string): string {
  return nonFinite.has(text) ? `"${text}"` : text
}
