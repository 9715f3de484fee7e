import type { CqlType } from '../../src/tables/cqlType.ts'
import { invalidValue } from '../../src/tables/invalidValue.ts'
import { valueCodec } from '../../src/tables/valueCodec.ts'

/**
 * Compiles the encoder of a type: from an untrusted JSON value to its canonical JSON text, the row encoding of
 * docs/row-encoding.md. Two values of a type are equal iff their texts are; a text's own JSON value gives the text again.
 *
 * The value is what `JSON.parse` gives, with `JsonNumber` for numbers whose source text is not what `String(number)`
 * gives. Null is refused: what null means is up to the column (see `columnConversion`). Throws `invalid-value` with
 * details `expected`, `type` and, inside a collection, `path`.
 */
export function compileCqlEncoder(type: CqlType): (value: unknown) => string {
  const { encode } = valueCodec(type)
  return (value) => {
    const text = encode(value)
    if (text === undefined) throw invalidValue(type, value)
    return text
  }
}

/** `compileCqlEncoder(type)(value)`; types are compiled once. */
export function encodeCqlValue(type: CqlType, value: unknown): string {
  return compileCqlEncoder(type)(value)
}
