import type { Row } from '../../../tables/row.ts'
import { requestedKey, type RowLookup, type RowRequest } from '../../../tables/rowLookup.ts'
import { forbiddenKeyspace, isSystemKeyspace, unknownTable } from '../../../tables/tableNames.ts'
import type { TableSchema } from '../../../tables/tableSchema.ts'
import { asTidemarkError } from '../../../core/errors.ts'
import type { LookupOutcome } from '../../../core/ports/lookup.ts'
import type { TableStore } from '../store/tableStore.ts'

const miss: LookupOutcome<Row> = { kind: 'miss' }

/**
 * Reads rows of the embedded tables. Reads are synchronous underneath (a few µs), so a group costs one promise and
 * nothing is ever in flight; errors of a request are final. It keeps nothing: names that a message chose cost no memory.
 */
export class EmbeddedRowLookup implements RowLookup {
  readonly name = 'embedded tables'
  readonly #tables: TableStore

  constructor(tables: TableStore) {
    this.#tables = tables
  }

  connect(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  probe(): Promise<void> {
    return Promise.resolve()
  }

  schema(keyspace: string, tableName: string): TableSchema | undefined {
    return this.#tables.find(keyspace, tableName)?.schema
  }

  lookup(request: RowRequest): Promise<LookupOutcome<Row>> {
    return Promise.resolve(this.#read(request))
  }

  lookupMany(requests: readonly RowRequest[]): Promise<readonly LookupOutcome<Row>[]> {
    return Promise.resolve(requests.map((request) => this.#read(request)))
  }

  #read(request: RowRequest): LookupOutcome<Row> {
    try {
      const { keyspace, tableName } = request
      if (isSystemKeyspace(keyspace)) throw forbiddenKeyspace(keyspace)
      const table = this.#tables.find(keyspace, tableName)
      if (table === undefined) throw unknownTable(keyspace, tableName)
      const { schema } = table
      const encoded = this.#tables.row(table, requestedKey(schema, request).bytes)
      return encoded === undefined ? miss : { kind: 'hit', result: { schema, encoded } }
    } catch (error) {
      return {
        kind: 'error',
        error: asTidemarkError(error, 'lookup-failed', 'Reading a row of the embedded tables failed'),
      }
    }
  }
}
