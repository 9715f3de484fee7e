import { compiledOnce, displayIdentifier, type CqlType } from './cqlType.ts'
import type { ColumnPlace } from './invalidValue.ts'
import { columnConversion, type MemberCodec } from './valueCodec.ts'

/** A table: its columns with their types and its primary key in table order. Names are data and may be any text. */
export interface TableSchema {
  readonly keyspace: string
  readonly table: string
  readonly columns: ReadonlyMap<string, CqlType>
  readonly partitionKey: readonly string[]
  readonly clusteringKey: readonly string[]
}

/** One column, compiled. */
export interface ColumnCodec extends MemberCodec {
  readonly type: CqlType
}

/** A table, compiled. `columns` are in the order of an encoded row: by the UTF-16 code units of their names. */
export interface TableCodec {
  readonly columns: readonly ColumnCodec[]
  /** Partition key, then clustering key, in table order. */
  readonly key: readonly ColumnCodec[]
}

/** The codec of a table; compiled once a schema object. */
export const tableCodec: (schema: TableSchema) => TableCodec = compiledOnce((schema) => {
  const columns = [...schema.columns]
    .map(([name, type]) => ({ name, type, prefix: `${JSON.stringify(name)}:`, convert: columnConversion(type) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const byName = new Map(columns.map((column) => [column.name, column]))
  return { columns, key: keyColumns(schema).flatMap((name) => byName.get(name) ?? []) }
})

/** The names of the primary key in table order: partition key, then clustering key. */
export function keyColumns(schema: TableSchema): readonly string[] {
  return [...schema.partitionKey, ...schema.clusteringKey]
}

/** `keyspace.table` for messages. */
export function displayTable({ keyspace, table }: TableSchema): string {
  return `${displayIdentifier(keyspace)}.${displayIdentifier(table)}`
}

/** A column for the message of an error about its value. */
export function columnPlace(schema: TableSchema, column: string): ColumnPlace {
  return { column, label: `column ${displayTable(schema)}.${displayIdentifier(column)}` }
}
