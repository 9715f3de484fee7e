import type { Row } from '../../tables/row.ts'
import { requestedKey, type RowRequest } from '../../tables/rowLookup.ts'
import { forbiddenKeyspace, isSystemKeyspace, unknownTable } from '../../tables/tableNames.ts'
import type { TableSchema } from '../../tables/tableSchema.ts'
import { prepareTable } from '../../connectors/embedded/store/tableStore.ts'
import { asTidemarkError, type TidemarkError } from '../../core/errors.ts'
import type { LookupOutcome } from '../../core/ports/lookup.ts'

/** How one read behaves. */
export interface ReadBehaviour {
  /** Virtual ms until the answer; default: the tables' `latencyMs`. */
  readonly latencyMs?: number
  /** The answer is this error, whatever the row. */
  readonly error?: TidemarkError
  /** There is no answer, ever: the caller's timeout has to end it. */
  readonly never?: boolean
}

/** A bound as a client of a real system has one. */
export interface ReadBound {
  /** Requests that one process has under way; the others wait, which is not time of their lookups. */
  readonly maxInFlight: number
  /** Virtual ms after which one that is not answered ends, retriable. */
  readonly requestTimeoutMs: number
}

export interface MemoryTablesOptions {
  /** Virtual ms until each answer; default 0: in a microtask. */
  readonly latencyMs?: number
  /** Asked for each read, with the number of reads of that key before it; nothing: as usual. */
  readonly behave?: (request: RowRequest, reads: number) => ReadBehaviour | undefined
  /** Offers reads of several keys in one request, as Cassandra's IN; default false. */
  readonly grouped?: boolean
  /** Default null: whatever is asked for is under way at once. */
  readonly bound?: ReadBound | null
}

/** What the clients have done, all processes together. */
export interface TableCounts {
  connects: number
  closes: number
  /** A group is one request. */
  requests: number
  reads: number
  /** Requests without an answer yet. */
  inFlight: number
  mostInFlight: number
}

/** A row that was taken away. */
export interface HiddenRow {
  readonly name: string
  /** Puts it back, where nothing else has come meanwhile. */
  putBack(): void
}

interface Table {
  readonly schema: TableSchema
  readonly rows: Map<string, string>
}

/**
 * Keyed tables in memory with the errors of the embedded and the real ones, and whatever latency, failures and silence a
 * test wants. Rows may change while a job runs.
 */
export class MemoryTables {
  readonly latencyMs: number
  readonly grouped: boolean
  readonly bound: ReadBound | null
  /** While true, nothing is answered: reads fail with `system-unreachable`, and so does a probe. */
  unreachable = false
  readonly counts: TableCounts = {
    connects: 0,
    closes: 0,
    requests: 0,
    reads: 0,
    inFlight: 0,
    mostInFlight: 0,
  }
  readonly #behave: ((request: RowRequest, reads: number) => ReadBehaviour | undefined) | undefined
  readonly #tables: Map<string, Table> = new Map<string, Table>()
  readonly #reads: Map<string, number> = new Map<string, number>()

  /** @param definitions tables with rows, as `tidemark table load` takes them. */
  constructor(
    definitions: readonly unknown[] = [],
    { latencyMs = 0, behave, grouped = false, bound = null }: MemoryTablesOptions = {},
  ) {
    this.latencyMs = latencyMs
    this.grouped = grouped
    this.bound = bound
    this.#behave = behave
    for (const definition of definitions) this.load(definition)
  }

  /**
   * Adds a table, or rows to one; rows with a known key are replaced.
   *
   * @throws `invalid-input`, `forbidden-keyspace`.
   */
  load(definition: unknown): void {
    const { schema, rows } = prepareTable(definition)
    const name = tableName(schema.keyspace, schema.table)
    const table = this.#tables.get(name) ?? { schema, rows: new Map<string, string>() }
    this.#tables.set(name, table)
    for (const { key, encoded } of rows) table.rows.set(key.toString(), encoded)
  }

  /** Tables of their own with the same rows and behaviour, and nothing asked yet. */
  copy(): MemoryTables {
    const copy = new MemoryTables([], {
      latencyMs: this.latencyMs,
      grouped: this.grouped,
      bound: this.bound,
      ...(this.#behave === undefined ? {} : { behave: this.#behave }),
    })
    for (const [name, { schema, rows }] of this.#tables) copy.#tables.set(name, { schema, rows: new Map(rows) })
    return copy
  }

  /** Deletes a row, if it is there. */
  remove(request: RowRequest): void {
    const table = this.#table(request)
    table.rows.delete(requestedKey(table.schema, request).bytes.toString())
  }

  /** Takes a row away, counted over all tables. Null: there is none. */
  hide(nth: number): HiddenRow | null {
    const all = [...this.#tables].flatMap(([table, { rows }]) => [...rows.keys()].map((key) => ({ table, rows, key })))
    const found = all[nth % Math.max(1, all.length)]
    const row = found?.rows.get(found.key)
    if (found === undefined || row === undefined) return null
    found.rows.delete(found.key)
    return {
      name: rowName(found.table, found.key),
      putBack: () => {
        if (!found.rows.has(found.key)) found.rows.set(found.key, row)
      },
    }
  }

  /** One name for all requests of one row, whether it is there or not; null for a request that no row can have. */
  rowName(request: RowRequest): string | null {
    try {
      const table = tableName(request.keyspace, request.tableName)
      return rowName(table, requestedKey(this.#table(request).schema, request).bytes.toString())
    } catch {
      return null
    }
  }

  /** How the next read of this request behaves. */
  behaviour(request: RowRequest): ReadBehaviour {
    if (this.#behave === undefined) return {}
    const key = JSON.stringify([request.keyspace, request.tableName, request.pk ?? null, request.primaryKey ?? null])
    const reads = this.#reads.get(key) ?? 0
    this.#reads.set(key, reads + 1)
    return this.#behave(request, reads) ?? {}
  }

  /** What the tables say now. */
  read(request: RowRequest): LookupOutcome<Row> {
    try {
      const { schema, rows } = this.#table(request)
      const encoded = rows.get(requestedKey(schema, request).bytes.toString())
      return encoded === undefined ? { kind: 'miss' } : { kind: 'hit', result: { schema, encoded } }
    } catch (error) {
      return { kind: 'error', error: asTidemarkError(error, 'lookup-failed', 'Reading a row in memory failed') }
    }
  }

  schema(keyspace: string, table: string): TableSchema | undefined {
    return this.#tables.get(tableName(keyspace, table))?.schema
  }

  #table({ keyspace, tableName: name }: RowRequest): Table {
    if (isSystemKeyspace(keyspace)) throw forbiddenKeyspace(keyspace)
    const table = this.#tables.get(tableName(keyspace, name))
    if (table !== undefined) return table
    throw unknownTable(keyspace, name)
  }
}

function rowName(table: string, key: string): string {
  return JSON.stringify([table, key])
}

function tableName(keyspace: string, table: string): string {
  return JSON.stringify([keyspace, table])
}
