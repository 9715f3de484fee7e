import type { StoreAccess } from '../shared/storeAccess.ts'
import { parseTableDefinition } from '../../../tables/parseTableDefinition.ts'
import type { RowLookup } from '../../../tables/rowLookup.ts'
import type { TableSchema } from '../../../tables/tableSchema.ts'

/**
 * The embedded tables as an operator of a command looks them up. The store is opened once, for all the rows between `connect`
 * and `close`: a job that wants to start waits so long.
 */
export function heldRowLookup(inStore: (act: (store: StoreAccess) => Promise<void>) => Promise<void>): RowLookup {
  const schemas = new Map<string, TableSchema>()
  const opened = Promise.withResolvers<StoreAccess>()
  const done = Promise.withResolvers<void>()
  let act: Promise<void> = Promise.resolve()
  return {
    name: 'embedded tables',
    async connect() {
      act = inStore(async (store) => {
        for (const { keyspace, table, definition } of await store.listTables()) {
          schemas.set(JSON.stringify([keyspace, table]), parseTableDefinition(JSON.parse(definition)).schema)
        }
        opened.resolve(store)
        await done.promise
      })
      act.catch(opened.reject)
      await opened.promise
    },
    close() {
      done.resolve()
      return act
    },
    lookup: async (request) => (await opened.promise).getRow(request),
    schema: (keyspace, table) => schemas.get(JSON.stringify([keyspace, table])),
  }
}
