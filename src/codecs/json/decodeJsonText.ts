import { isUtf8 } from 'node:buffer'
import { TidemarkError } from '../../core/errors.ts'

/**
 * The text of a value's bytes, which must be JSON's encoding: UTF-8 without a byte order mark. Nothing is repaired, so
 * two different values never become the same text.
 *
 * Throws `empty-value`, `invalid-utf8` or `byte-order-mark`, all of kind `record`.
 */
export function decodeJsonText(bytes: Buffer): string {
  if (bytes.length === 0) throw new TidemarkError('empty-value', 'The value has no bytes; JSON text is expected.')
  if (!isUtf8(bytes)) throw new TidemarkError('invalid-utf8', 'The value is not valid UTF-8; JSON text is expected.')
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new TidemarkError('byte-order-mark', 'The value starts with a byte order mark, which JSON does not allow.')
  }
  return bytes.toString('utf8')
}
