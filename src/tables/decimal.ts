import type { Conversion } from './conversion.ts'
import { numberSource } from './integers.ts'

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
