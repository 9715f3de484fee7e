import { Port, type Resource } from './port.ts'

/** What a table looks like from outside. Columns are pairs, because their names may be anything. */
export interface TableDescription {
  readonly keyspace: string
  readonly table: string
  readonly columns: readonly (readonly [name: string, type: string])[]
  readonly partitionKey: readonly string[]
  readonly clusteringKey: readonly string[]
}

/** Rows of a table, in the row encoding. */
export interface RowPage {
  readonly rows: readonly string[]
  /** Give it as `after` for the next page; null: there are no more rows. */
  readonly next: string | null
}

/** What commands do with tables. */
export interface Tables {
  listTables(): Promise<readonly TableDescription[]>
  /** Checks a parsed definition as a whole, then stores its rows over those of the same key. Resolves with their number. */
  loadTable(definition: unknown): Promise<number>
  /** Throws `unknown-table`. */
  readTable(
    keyspace: string,
    table: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<RowPage>
}

/** What `tidemark table` works on. */
export const tablesPort: Port<Tables & Resource> = new Port<Tables & Resource>('tables')

/** The answer of one statement. */
export interface StatementAnswer {
  /** Empty for a statement that answers no rows. */
  readonly columns: readonly unknown[]
  /** In the row encoding, read page by page while it is iterated. */
  readonly rows: AsyncIterable<{ readonly encoded: string }>
}

/** What `tidemark query` asks; absent where tables have no language of their own. */
export const queryPort: Port<Queries> = new Port<Queries>('query')

export interface Queries extends Resource {
  /** Runs one statement as it stands. Throws `invalid-input` where it is refused. */
  query(statement: string): Promise<StatementAnswer>
}
