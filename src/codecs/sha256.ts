import { hash } from 'node:crypto'

/**
 * The SHA-256 of some bytes, or of a text's UTF-8 bytes, as 64 hexadecimal digits. A text must be well-formed: half
 * surrogate pairs all have the same bytes.
 */
export function sha256Hex(data: string | Buffer, letters: 'upper' | 'lower' = 'upper'): string {
  const digits = hash('sha256', data, 'hex')
  return letters === 'upper' ? digits.toUpperCase() : digits
}
