import type { LookupClient } from '../core/ports/lookup.ts'
import { Port, type Resource } from '../core/ports/port.ts'
import { encodePrimaryKey, singleKeyColumn, type PrimaryKey } from './primaryKey.ts'
import type { Row } from './row.ts'
import type { TableSchema } from './tableSchema.ts'

/** The row a message names. Everything in it comes from the message and is converted by the table's own schema. */
export interface RowRequest {
  readonly keyspace: string
  readonly tableName: string
  /** The value of a primary key of one column, whatever that column is called; input version 1. */
  readonly pk?: unknown
  /** An object of the primary key's columns; input version 2. */
  readonly primaryKey?: unknown
}

/**
 * Reads rows by primary key, in any world. `unknown-table`, `forbidden-keyspace`, `key-mismatch` and `invalid-value` are
 * not retriable: they concern one request.
 */
export interface RowLookup extends LookupClient<RowRequest, Row>, Resource {
  /** The table, as its last lookup found it; undefined before the first one, and for a table that does not exist. */
  schema(keyspace: string, tableName: string): TableSchema | undefined
}

/** What `cassandraRow` asks a world for. */
export const rowLookupPort: Port<RowLookup> = new Port<RowLookup>('rows')

/**
 * The primary key that a request names, converted by the table's column types. A bare `pk` binds the only primary-key
 * column, whatever its name.
 *
 * @throws TidemarkError `key-mismatch` or `invalid-value`, naming the columns.
 */
export function requestedKey(schema: TableSchema, request: RowRequest): PrimaryKey {
  if (request.primaryKey !== undefined) return encodePrimaryKey(schema, request.primaryKey)
  // fromEntries defines own members, also one named __proto__.
  return encodePrimaryKey(schema, Object.fromEntries([[singleKeyColumn(schema), request.pk]]))
}
