import * as t from 'io-ts'
import { formatCqlType } from '../../../tables/cqlType.ts'
import { unknownTable } from '../../../tables/tableNames.ts'
import { displayTable } from '../../../tables/tableSchema.ts'
import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { damagedStore } from '../damage/damagedStore.ts'
import type { PreparedTable } from './preparedTable.ts'
import { keyAfter, type Storage } from './storage.ts'
import { rowKey, rowKeyDigest, rowsRange } from './storeKeys.ts'
import type { StoreWrite, StoreWriter } from './storeWriter.ts'
import type { Table, TableCatalog } from './tableCatalog.ts'

/** What a table looks like from outside. Columns are pairs, because their names may be anything. */
export const tableDescription = t.readonly(
  t.strict({
    keyspace: t.string,
    table: t.string,
    columns: t.readonlyArray(t.readonly(t.tuple([t.string, t.string]))),
    partitionKey: t.readonlyArray(t.string),
    clusteringKey: t.readonlyArray(t.string),
    /** JSON text that `parseTableDefinition` reads; without rows. */
    definition: t.string,
  }),
)
export type TableDescription = t.TypeOf<typeof tableDescription>

/** Rows of a table in the order of their keys' bytes. */
export const rowPage = t.readonly(
  t.strict({
    /** In the row encoding. */
    rows: t.readonlyArray(t.string),
    /** Give it as `after` for the next page; null: there are no more rows. */
    next: t.union([t.string, t.null]),
  }),
)
export type RowPage = t.TypeOf<typeof rowPage>

/** One write of a load that is done in several. */
const loadBytes = 4 * 1024 * 1024
const pageBytes = 1024 * 1024

/** Keyed tables over the store. */
export class TableStore {
  readonly catalog: TableCatalog
  readonly #storage: Storage
  readonly #writer: StoreWriter
  readonly #seal: ValueSeal

  constructor(catalog: TableCatalog, storage: Storage, writer: StoreWriter, seal: ValueSeal) {
    this.catalog = catalog
    this.#storage = storage
    this.#writer = writer
    this.#seal = seal
  }

  list(): readonly TableDescription[] {
    return this.catalog.list().map(describe)
  }

  /** Throws `unknown-table`. */
  get(keyspace: string, table: string): Table {
    const found = this.catalog.find(keyspace, table)
    if (found === undefined) throw unknownTable(keyspace, table)
    return found
  }

  /** Stores a table and its rows; rows with a known key are replaced. One write per 4 MiB. */
  async load(prepared: PreparedTable): Promise<void> {
    const { rows } = prepared
    let at = 0
    do {
      let end = at
      for (let bytes = 0; end < rows.length && bytes < loadBytes; end += 1) bytes += rows[end]?.encoded.length ?? 0
      const part = rows.slice(at, end)
      await this.#writer.write((write) => {
        this.put(write, { ...prepared, rows: part })
      })
      at = end
    } while (at < rows.length)
  }

  put(write: StoreWrite, { schema, definition, rows }: PreparedTable): void {
    const { id } = this.catalog.ensure(write, schema, definition)
    for (const { key, encoded } of rows) {
      const stored = rowKey(id, key)
      write.put(stored, this.#seal.sealText(stored, encoded))
    }
  }

  /** One row in the row encoding, or undefined. Synchronous. Throws `corrupt-store`. */
  row(table: Table, key: Buffer): string | undefined {
    const stored = rowKey(table.id, key)
    const sealed = this.#storage.getText(stored)
    if (sealed === undefined) return undefined
    return this.#seal.openText(stored, sealed) ?? damagedRow(table, stored)
  }

  async page(table: Table, after: string | null, limit: number): Promise<RowPage> {
    const all = rowsRange(table.id)
    const from = after === null ? all.from : keyAfter(rowKey(table.id, Buffer.from(after, 'base64')))
    const entries = await this.#storage.scan({ from, to: all.to, limit, maxBytes: pageBytes })
    const last = entries.at(-1)
    return {
      rows: entries.map(([key, value]) => this.#seal.openText(key, value.toString()) ?? damagedRow(table, key)),
      next: last === undefined ? null : last[0].subarray(all.from.length).toString('base64'),
    }
  }
}

function damagedRow({ schema }: Table, key: Buffer): never {
  const { keyspace, table } = schema
  const digest = rowKeyDigest(key)
  throw damagedStore(
    `A row of table ${displayTable(schema)} is damaged: its checksum does not match (sha256 of its key begins with ${digest})`,
    { keyspace, table, key: digest },
  )
}

function describe({ schema, definition }: Table): TableDescription {
  return {
    keyspace: schema.keyspace,
    table: schema.table,
    columns: [...schema.columns].map(([name, type]): [string, string] => [name, formatCqlType(type)]),
    partitionKey: [...schema.partitionKey],
    clusteringKey: [...schema.clusteringKey],
    definition,
  }
}
