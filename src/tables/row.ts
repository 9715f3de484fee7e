import { TidemarkError } from '../core/errors.ts'
import { invalidValue, showValue } from './invalidValue.ts'
import { columnPlace, displayTable, tableCodec, type TableSchema, type ColumnCodec } from './tableSchema.ts'
import { isJsonObject } from '../codecs/json/jsonNumber.ts'
import { objectText } from './valueCodec.ts'
import { endOfValue } from '../codecs/json/scanJson.ts'

/** A row of a table in the row encoding: what a lookup hits, what `cass_hash` is taken over. */
export interface Row {
  readonly schema: TableSchema
  /** Canonical JSON: every column of the table, ordered by name, nulls present. */
  readonly encoded: string
}

/**
 * Encodes a row from an untrusted object of column to JSON value. A column that the object does not name is null.
 * Throws `invalid-value`, naming the column, when a value does not convert or there is no such column. It does not
 * check the primary key: `encodeRowKey` does.
 */
export function encodeRow(schema: TableSchema, values: unknown): string {
  const { columns } = tableCodec(schema)
  if (!isJsonObject(values)) {
    throw new TidemarkError(
      'invalid-value',
      `A row of ${displayTable(schema)} is an object of columns, not ${showValue(values)}.`,
      {
        details: { expected: 'an object' },
      },
    )
  }
  const text = objectText(columns, values)
  if (text !== undefined) return text
  for (const { name, type, convert } of columns) {
    const isWrong = Object.hasOwn(values, name) && convert(values[name]) === undefined
    if (isWrong) throw invalidValue(type, values[name], columnPlace(schema, name))
  }
  throw unknownColumn(schema, values)
}

function unknownColumn(schema: TableSchema, values: object): TidemarkError {
  const unknown = Object.keys(values).find((name) => !schema.columns.has(name)) ?? ''
  const message = `The table ${displayTable(schema)} has no column ${showValue(unknown)}; remove it from the row.`
  return new TidemarkError('invalid-value', message, {
    details: { column: unknown, expected: 'a column of the table' },
  })
}

/** The canonical text of each column (`null` is text too), in the order of the encoded row. */
export function columnTexts(row: Row): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  const cursor = new RowCursor(row.schema, row.encoded)
  for (const codec of tableCodec(row.schema).columns) texts.set(codec.name, cursor.next(codec))
  cursor.end()
  return texts
}

/** What a payload says about a row. */
export interface RowComparison {
  /** True when the payload is an object and none of its fields differs from its column. */
  readonly equal: boolean
  /** The columns whose field differs, in the order of an encoded row; all columns when the payload is no object. */
  readonly differing: readonly string[]
  /** How many fields of the payload name no column. */
  readonly ignored: number
}

/**
 * Compares a payload's fields with the columns they name. A field is converted by its column's type and equals the
 * column iff the canonical texts are equal; one that does not convert differs, and null equals only a null column.
 * Columns that the payload does not name are not compared. A payload that is no object (null included: whether that
 * means a deletion is the caller's question) never equals. Only own members count, whatever their names.
 */
export function compareWithRow(row: Row, payload: unknown): RowComparison {
  const { columns } = tableCodec(row.schema)
  if (!isJsonObject(payload)) return { equal: false, differing: columns.map(({ name }) => name), ignored: 0 }
  const cursor = new RowCursor(row.schema, row.encoded)
  const differing: string[] = []
  let compared = 0
  for (const column of columns) {
    const { name } = column
    const isNamed = Object.hasOwn(payload, name)
    if (isNamed) compared += 1
    const isEqual = cursor.matches(column, isNamed ? column.convert(payload[name]) : undefined)
    if (isNamed && !isEqual) differing.push(name)
  }
  cursor.end()
  return { equal: differing.length === 0, differing, ignored: Object.keys(payload).length - compared }
}

/**
 * Walks over the columns of an encoded row. Names and their order are known, so only the ends of values are looked for,
 * and no value is parsed. Throws `corrupt-store` when the row is not in the encoding of its columns.
 */
class RowCursor {
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
    const end = endOfValue(this.#encoded, start)
    if (end === start || !isMemberEnd(this.#encoded.charCodeAt(end))) throw corruptRow(this.#schema)
    return end
  }
}

function corruptRow(schema: TableSchema): TidemarkError {
  const message = `A stored row of ${displayTable(schema)} is not in the row encoding of its columns; load the table again.`
  return new TidemarkError('corrupt-store', message)
}

const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d

function isMemberEnd(code: number): boolean {
  return code === comma || code === closeBrace
}
