import { TidemarkError } from '../core/errors.ts'
import { displayTable } from './tableSchema.ts'
import type { ColumnCodec, TableSchema } from './tableSchema.ts'

/**
 * Walks over the columns of an encoded row. Names and their order are known, so only the ends of values are looked for,
 * and no value is parsed. Throws `corrupt-store` when the row is not in the encoding of its columns.
 */
export class RowCursor {
  readonly #schema: TableSchema
  readonly #encoded: string
  #at = 0

  constructor(schema: TableSchema, encoded: string) {
    this.#schema = schema
    this.#encoded = encoded
  }

  /** The text of the next column, which must be this one. */
  next(column: ColumnCodec): string {
    const start = this.#enter(column)
    this.#at = this.#valueEnd(start)
    return this.#encoded.slice(start, this.#at)
  }

  /** Steps over the next column, which must be this one, and says whether its text is the given one. */
  matches(column: ColumnCodec, text: string | undefined): boolean {
    const start = this.#enter(column)
    const encoded = this.#encoded
    if (text !== undefined && encoded.startsWith(text, start) && isMemberEnd(encoded.charCodeAt(start + text.length))) {
      this.#at = start + text.length
      return true
    }
    this.#at = this.#valueEnd(start)
    return false
  }

  /** Checks that no column is left. */
  end(): void {
    const encoded = this.#encoded
    if (encoded.length !== this.#at + 1 || encoded.charCodeAt(this.#at) !== closeBrace) throw corruptRow(this.#schema)
  }

  /** Where the value of the next column begins. */
  #enter({ prefix }: ColumnCodec): number {
    const encoded = this.#encoded
    const isMember = encoded.charCodeAt(this.#at) === (this.#at === 0 ? openBrace : comma)
    if (!isMember || !encoded.startsWith(prefix, this.#at + 1)) throw corruptRow(this.#schema)
    return this.#at + 1 + prefix.length
  }

  #valueEnd(start: number): number {
    const end = valueEnd(this.#encoded, start)
    if (end === start) throw corruptRow(this.#schema)
    return end
  }
}

function corruptRow(schema: TableSchema): TidemarkError {
  const message = `A stored row of ${displayTable(schema)} is not in the row encoding of its columns; load the table again.`
  return new TidemarkError('corrupt-store', message)
}

const quote = 0x22
const comma = 0x2c
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

function isMemberEnd(code: number): boolean {
  return code === comma || code === closeBrace
}

/** Where the canonical JSON value that begins at `start` ends; `start` itself when none does. */
function valueEnd(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = stringEnd(text, at)
      continue
    }
    if (depth === 0 && isMemberEnd(code)) return at
    if (code === openBracket || code === openBrace) depth += 1
    else if (code === closeBracket || code === closeBrace) depth -= 1
    at += 1
  }
  return start
}

/** The position after the string that begins at `start`; the end of the text when it does not end. */
function stringEnd(text: string, start: number): number {
  let at = text.indexOf('"', start + 1)
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at < 0 ? text.length : at + 1
}

/** True when an odd number of backslashes stands before the position. */
function isEscaped(text: string, position: number): boolean {
  let at = position - 1
  while (text.charCodeAt(at) === backslash) at -= 1
  return (position - at) % 2 === 0
}
