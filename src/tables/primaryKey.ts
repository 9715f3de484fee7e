import { TidemarkError } from '../core/errors.ts'
import { displayIdentifier, formatCqlType } from './cqlType.ts'
import { invalidValue, showValue } from './invalidValue.ts'
import { columnPlace, displayTable, keyColumns, tableCodec, type ColumnCodec, type TableSchema } from './tableSchema.ts'
import { isJsonObject } from '../codecs/json/jsonNumber.ts'
import { ownMember } from './valueCodec.ts'

/** Longest part of a key, as in Cassandra, counted in UTF-8 bytes of its text (a blob: its own bytes). */
const maxPartBytes = 65_535
/** A hostile key may have any number of wrong members; a message names this many. */
const maxProblems = 5

/** The primary key of one row, converted by the columns' types. */
export class PrimaryKey {
  readonly schema: TableSchema
  /** The canonical JSON of each part in table order: what is bound, and what `keyObject` and `bytes` are made of. */
  readonly parts: readonly string[]

  constructor(schema: TableSchema, parts: readonly string[]) {
    this.schema = schema
    this.parts = parts
  }

  /**
   * Bytes that are equal iff the keys are, whatever the order of the object they came from. The parts are joined by
   * U+0000, which no canonical text contains, so they cannot run into one another; keys of one partition are adjacent.
   */
  get bytes(): Buffer {
    return Buffer.from(this.parts.join('\0'), 'utf8')
  }

  /** The key as a JSON object with its columns in table order: `{"user_id":"123","region":"us-east"}`. */
  get keyObject(): string {
    let members = ''
    for (const [index, { prefix }] of tableCodec(this.schema).key.entries()) {
      members += `${index === 0 ? '' : ','}${prefix}${this.parts[index] ?? ''}`
    }
    return `{${members}}`
  }

  /** The bare value of a key of one column, else `keyObject`. */
  get keyValue(): string {
    const [first] = this.parts
    return this.parts.length === 1 && first !== undefined ? first : this.keyObject
  }
}

/**
 * Converts an untrusted key, an object of column to JSON value, by the table's primary key.
 *
 * Throws `key-mismatch` when a key column is missing or null, or another member is present, and `invalid-value`, naming
 * column and type, when a part does not convert, is longer than Cassandra takes, or is the empty only part of the
 * partition key.
 */
export function encodePrimaryKey(schema: TableSchema, key: unknown): PrimaryKey {
  const { key: columns } = tableCodec(schema)
  if (!isJsonObject(key)) throw keyMismatch(schema, ['it is not an object'])
  if (Object.keys(key).length !== columns.length || !columns.every(({ name }) => Object.hasOwn(key, name))) {
    throw keyMismatch(schema, [...missingParts(columns, key), ...extraParts(columns, key)])
  }
  return convertParts(schema, columns, key)
}

/** The primary key of a whole row, an object of column to JSON value; errors as for `encodePrimaryKey`. */
export function encodeRowKey(schema: TableSchema, values: unknown): PrimaryKey {
  if (!isJsonObject(values)) throw keyMismatch(schema, ['the row is not an object'])
  return convertParts(schema, tableCodec(schema).key, values)
}

/** The only column of a key of one column. Throws `key-mismatch` for a composite key. */
export function singleKeyColumn(schema: TableSchema): string {
  const [first, ...others] = keyColumns(schema)
  if (first !== undefined && others.length === 0) return first
  throw keyMismatch(schema, ['one value cannot stand for all of them, give an object that names each'])
}

function convertParts(
  schema: TableSchema,
  columns: readonly ColumnCodec[],
  values: Readonly<Record<string, unknown>>,
): PrimaryKey {
  const parts: string[] = []
  for (const column of columns) {
    const value = ownMember(values, column.name)
    if (value === undefined || value === null) throw keyMismatch(schema, missingParts(columns, values))
    const text = column.convert(value)
    if (text === undefined) throw invalidValue(column.type, value, columnPlace(schema, column.name))
    checkPart(schema, column, text)
    parts.push(text)
  }
  return new PrimaryKey(schema, parts)
}

/** What Cassandra refuses of a part that has the right type. */
function checkPart(schema: TableSchema, column: ColumnCodec, text: string): void {
  const isBlob = column.type.kind === 'native' && column.type.name === 'blob'
  const isEmpty = text === (isBlob ? '"0x"' : '""')
  if (isEmpty && schema.partitionKey.length === 1 && schema.partitionKey[0] === column.name) {
    throw refusedPart(schema, column, 'is empty', 'a value that is not empty, because it is the whole partition key')
  }
  // No UTF-16 code unit takes more than three bytes, and a blob's text two characters a byte.
  if (text.length * 3 <= maxPartBytes) return
  const bytes = isBlob ? (text.length - 4) / 2 : Buffer.byteLength(text) - 2
  if (bytes > maxPartBytes) {
    throw refusedPart(schema, column, `has ${String(bytes)} bytes`, `at most ${String(maxPartBytes)} bytes`)
  }
}

function refusedPart(schema: TableSchema, column: ColumnCodec, what: string, expected: string): TidemarkError {
  const { label } = columnPlace(schema, column.name)
  const type = formatCqlType(column.type)
  return new TidemarkError('invalid-value', `The value for ${label} of type ${type} ${what}: expected ${expected}.`, {
    details: { expected, type, column: column.name },
  })
}

function missingParts(columns: readonly ColumnCodec[], key: Readonly<Record<string, unknown>>): readonly string[] {
  return columns
    .filter(({ name }) => (ownMember(key, name) ?? null) === null)
    .map(({ name }) => `${displayIdentifier(name)} is ${Object.hasOwn(key, name) ? 'null' : 'missing'}`)
}

function extraParts(columns: readonly ColumnCodec[], key: Readonly<Record<string, unknown>>): readonly string[] {
  const known = new Set(columns.map(({ name }) => name))
  return Object.keys(key)
    .filter((name) => !known.has(name))
    .map((name) => `${showValue(name)} is not part of it`)
}

function keyMismatch(schema: TableSchema, problems: readonly string[]): TidemarkError {
  const columns = keyColumns(schema).map(displayIdentifier).join(', ')
  const shown = problems.slice(0, maxProblems).join('; ')
  const rest = problems.length > maxProblems ? `; and ${String(problems.length - maxProblems)} more` : ''
  return new TidemarkError(
    'key-mismatch',
    `The primary key of ${displayTable(schema)} is (${columns}): ${shown}${rest}.`,
    {
      details: { table: displayTable(schema), expected: columns },
    },
  )
}
