import { isDeepStrictEqual } from 'node:util'
import * as t from 'io-ts'
import { displayTable, type TableSchema } from '../../../tables/tableSchema.ts'
import { parseTableDefinition } from '../../../tables/parseTableDefinition.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { damagedStore } from '../damage/damagedStore.ts'
import { scanPages, type Storage } from './storage.ts'
import { tableKey, tagRange } from './storeKeys.ts'
import { decodeStored } from './decodeStored.ts'
import type { StoreWrite } from './storeWriter.ts'

/** A table of the embedded world. */
export interface Table {
  readonly id: number
  readonly schema: TableSchema
  /** The definition as it was loaded, without rows: JSON text that `parseTableDefinition` reads. */
  readonly definition: string
}

/** A table without its rows, as it is stored. */
export const storedTable = t.strict({ id: t.number, definition: t.string })

/** The tables of the store, with their schemas parsed once. It grows with the tables there are, not with names asked for. */
export class TableCatalog {
  readonly #keyspaces = new Map<string, Map<string, Table>>()
  #nextId = 0

  static async load(storage: Storage): Promise<TableCatalog> {
    const catalog = new TableCatalog()
    for await (const page of scanPages(storage, tagRange('table'), { limit: 100, maxBytes: 1024 * 1024 })) {
      for (const [, value] of page) {
        const { id, definition } = decodeStored(storedTable, value, 'A table definition')
        catalog.#add({ id, definition, schema: parseStoredDefinition(definition) })
      }
    }
    return catalog
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

  /**
   * The table of a definition, added to the write if it is new. Throws `invalid-input` when a table of that name has other
   * columns or another key.
   */
  ensure(write: StoreWrite, schema: TableSchema, definition: string): Table {
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
