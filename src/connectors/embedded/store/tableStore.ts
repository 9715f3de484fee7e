import { isDeepStrictEqual } from 'node:util'
import * as t from 'io-ts'
import type { RowPage } from '../../../core/ports/tables.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { formatCqlType } from '../../../tables/cqlType.ts'
import { asRowError, parseTableDefinition } from '../../../tables/parseTableDefinition.ts'
import { encodeRowKey } from '../../../tables/primaryKey.ts'
import { encodeRow } from '../../../tables/row.ts'
import { unknownTable, isSystemKeyspace } from '../../../tables/tableNames.ts'
import { displayTable, type TableSchema } from '../../../tables/tableSchema.ts'
import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { isJsonObject } from '../../../codecs/json/jsonNumber.ts'
import { damagedStore, decodeStored } from '../damage/damagedStore.ts'
import { partsOf } from './partsOf.ts'
import { keyAfter, scanPages, type Storage } from './storage.ts'
import { rowKey, rowKeyDigest, rowsRange, tableKey, tagRange } from './storeKeys.ts'
import type { StoreWrite, StoreWriter } from './storeWriter.ts'

/** What a table looks like from outside, with its definition. */
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
export type DefinedTable = t.TypeOf<typeof tableDescription>

/** Rows of a table in the order of their keys' bytes. */
export const rowPage = t.readonly(
  t.strict({
    /** In the row encoding. */
    rows: t.readonlyArray(t.string),
    /** Give it as `after` for the next page; null: there are no more rows. */
    next: t.union([t.string, t.null]),
  }),
)

/** One write of a load that is done in several. */
const loadBytes = 4 * 1024 * 1024
const pageBytes = 1024 * 1024

/** Keyed tables over the store, with their schemas parsed once. It grows with the tables there are, not with names asked for. */
export class TableStore {
  readonly #storage: Storage
  readonly #writer: StoreWriter
  readonly #seal: ValueSeal
  readonly #keyspaces = new Map<string, Map<string, Table>>()
  #nextId = 0

  private constructor(storage: Storage, writer: StoreWriter, seal: ValueSeal) {
    this.#storage = storage
    this.#writer = writer
    this.#seal = seal
  }

  /** Throws `corrupt-store`. */
  static async open(storage: Storage, writer: StoreWriter, seal: ValueSeal): Promise<TableStore> {
    const tables = new TableStore(storage, writer, seal)
    for await (const page of scanPages(storage, tagRange('table'), { limit: 100, maxBytes: 1024 * 1024 })) {
      for (const [, value] of page) {
        const { id, definition } = decodeStored(storedTable, value, 'A table definition')
        tables.#add({ id, definition, schema: parseStoredDefinition(definition) })
      }
    }
    return tables
  }

  /** Names are exact: no folding of case, no quoting. */
  find(keyspace: string, table: string): Table | undefined {
    return this.#keyspaces.get(keyspace)?.get(table)
  }

  /** By keyspace and name. */
  list(): readonly Table[] {
    const all = [...this.#keyspaces.values()].flatMap((tables) => [...tables.values()])
    return all.sort((a, b) => compare(a.schema.keyspace, b.schema.keyspace) || compare(a.schema.table, b.schema.table))
  }

  /** Throws `unknown-table`. */
  get(keyspace: string, table: string): Table {
    const found = this.find(keyspace, table)
    if (found === undefined) throw unknownTable(keyspace, table)
    return found
  }

  /** Stores a table and its rows; rows with a known key are replaced. One write per 4 MiB. */
  async load(prepared: PreparedTable): Promise<void> {
    for (const rows of rowParts(prepared, loadBytes)) {
      await this.#writer.write((write) => {
        const { id } = this.#ensure(write, prepared)
        for (const { key, encoded } of rows) {
          const stored = rowKey(id, key)
          write.put(stored, this.#seal.sealText(stored, encoded))
        }
      })
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

  /**
   * The table of a definition, added to the write if it is new. Throws `invalid-input` when a table of that name has other
   * columns or another key.
   */
  #ensure(write: StoreWrite, { schema, definition }: PreparedTable): Table {
    const { keyspace, table: name } = schema
    const known = this.find(keyspace, name)
    if (known !== undefined) {
      if (isDeepStrictEqual(known.schema, schema)) return known
      const message = `Table ${displayTable(schema)} exists with other columns or another primary key. Load it under another name, or into another directory with --data-dir`
      throw new TidemarkError('invalid-input', message)
    }
    const table = { id: this.#nextId++, schema, definition }
    write.put(tableKey(keyspace, name), Buffer.from(JSON.stringify({ id: table.id, definition })))
    write.afterwards(() => {
      this.#add(table)
    })
    return table
  }

  clear(): void {
    this.#keyspaces.clear()
  }

  #add(table: Table): void {
    const { keyspace, table: name } = table.schema
    const tables = this.#keyspaces.get(keyspace) ?? new Map<string, Table>()
    this.#keyspaces.set(keyspace, tables.set(name, table))
    this.#nextId = Math.max(this.#nextId, table.id + 1)
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

export function definedTable({ schema, definition }: Table): DefinedTable {
  return {
    keyspace: schema.keyspace,
    table: schema.table,
    columns: [...schema.columns].map(([name, type]): [string, string] => [name, formatCqlType(type)]),
    partitionKey: [...schema.partitionKey],
    clusteringKey: [...schema.clusteringKey],
    definition,
  }
}

/** A table of the embedded world. */
interface Table {
  readonly id: number
  readonly schema: TableSchema
  /** The definition as it was loaded, without rows: JSON text that `parseTableDefinition` reads. */
  readonly definition: string
}

/** A table without its rows, as it is stored. */
export const storedTable = t.strict({ id: t.number, definition: t.string })

export function parseStoredDefinition(definition: string): TableSchema {
  try {
    return parseTableDefinition(JSON.parse(definition)).schema
  } catch (cause) {
    throw damagedStore('A table definition in the embedded store cannot be read', {}, cause)
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A row, checked and encoded: its primary key as bytes, and itself in the row encoding. */
interface PreparedRow {
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

/** The rows in parts for one write or request each; there is one also of a table without rows. */
export function rowParts({ rows }: PreparedTable, maxBytes: number): Iterable<readonly PreparedRow[]> {
  return rows.length === 0 ? [[]] : partsOf(rows, maxBytes, ({ encoded }) => encoded.length)
}

function prepareRow(schema: TableSchema, row: unknown, index: number): PreparedRow {
  try {
    return { key: encodeRowKey(schema, row).bytes, encoded: encodeRow(schema, row) }
  } catch (cause) {
    throw asRowError(cause, index)
  }
}
