import { parseTableDefinition } from '../../../tables/parseTableDefinition.ts'
import { encodeRowKey } from '../../../tables/primaryKey.ts'
import { encodeRow } from '../../../tables/row.ts'
import { isSystemKeyspace } from '../../../tables/tableNames.ts'
import type { TableSchema } from '../../../tables/tableSchema.ts'
import { isJsonObject } from '../../../tables/valueCodec.ts'
import { TidemarkError } from '../../../core/errors.ts'

/** A row, checked and encoded: its primary key as bytes, and itself in the row encoding. */
export interface PreparedRow {
  readonly key: Buffer
  readonly encoded: string
}

/** A table and its rows, checked as a whole before anything is stored. */
export interface PreparedTable {
  readonly schema: TableSchema
  /** The definition without rows, as JSON text. */
  readonly definition: string
  readonly rows: readonly PreparedRow[]
}

/**
 * Checks and encodes what `table load` was given: see `parseTableDefinition`. Throws `invalid-input` for a bad definition
 * or a row that does not fit it, naming the row, and `forbidden-keyspace` for a system keyspace. Holds all encoded rows.
 */
export function prepareTable(json: unknown): PreparedTable {
  const { schema, rows } = parseTableDefinition(json)
  if (isSystemKeyspace(schema.keyspace)) {
    throw new TidemarkError(
      'forbidden-keyspace',
      'A keyspace whose name begins with "system" is Cassandra\'s own; choose another name',
    )
  }
  const definition = JSON.stringify({ ...(isJsonObject(json) ? json : {}), rows: [] })
  return { schema, definition, rows: rows.map((row, index) => prepareRow(schema, row, index)) }
}

function prepareRow(schema: TableSchema, row: unknown, index: number): PreparedRow {
  try {
    return { key: encodeRowKey(schema, row).bytes, encoded: encodeRow(schema, row) }
  } catch (cause) {
    if (!(cause instanceof TidemarkError)) throw cause
    throw new TidemarkError('invalid-input', `Row ${String(index)} of the table cannot be loaded: ${cause.message}`, {
      cause,
      details: { row: index },
    })
  }
}
