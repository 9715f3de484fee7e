import { TidemarkError } from '../core/errors.ts'
import { invalidValue, showValue } from './invalidValue.ts'
import { RowCursor } from './rowCursor.ts'
import { columnPlace, displayTable, tableCodec } from './tableSchema.ts'
import type { TableSchema } from './tableSchema.ts'
import { isJsonObject } from './valueCodec.ts'

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
  let known = 0
  const members: string[] = []
  for (const { name, type, prefix, convert } of columns) {
    const isPresent = Object.hasOwn(values, name)
    if (isPresent) known += 1
    const text = isPresent ? convert(values[name]) : 'null'
    if (text === undefined) throw invalidValue(type, values[name], columnPlace(schema, name))
    members.push(prefix + text)
  }
  if (known !== Object.keys(values).length) throw unknownColumn(schema, values)
  return `{${members.join(',')}}`
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

/** The canonical text of one column; undefined when the table has no such column. Costs one pass over the row. */
export function column(row: Row, name: string): string | undefined {
  return row.schema.columns.has(name) ? columnTexts(row).get(name) : undefined
}
