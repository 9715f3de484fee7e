import { parseTableDefinition } from '../tables/parseTableDefinition.ts'
import type { RowLookup } from '../tables/rowLookup.ts'
import type { TableSchema } from '../tables/tableSchema.ts'
import type { StoreAccess } from '../connectors/embedded/shared/storeAccess.ts'

/** The embedded tables as an operator looks them up, over the access that a command has to the store. */
export function storeRowLookup(store: Pick<StoreAccess, 'getRow' | 'listTables'>): RowLookup {
  const schemas = new Map<string, TableSchema>()
  return {
    name: 'embedded tables',
    async connect() {
      for (const { keyspace, table, definition } of await store.listTables()) {
        schemas.set(JSON.stringify([keyspace, table]), parseTableDefinition(JSON.parse(definition)).schema)
      }
    },
    close: () => Promise.resolve(),
    lookup: (request) => store.getRow(request),
    schema: (keyspace, table) => schemas.get(JSON.stringify([keyspace, table])),
  }
}
