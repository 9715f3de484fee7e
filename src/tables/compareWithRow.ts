import type { Row } from './row.ts'
import { RowCursor } from './rowCursor.ts'
import { tableCodec } from './tableSchema.ts'
import { isJsonObject } from './valueCodec.ts'

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
