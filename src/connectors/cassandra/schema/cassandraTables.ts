import { columnTexts, encodeRow } from '../../../tables/row.ts'
import { encodeRowKey } from '../../../tables/primaryKey.ts'
import { formatCqlType, innerTypes, quoteIdentifier, type CqlType, type UdtType } from '../../../tables/cqlType.ts'
import { asRowError, parseTableDefinition } from '../../../tables/parseTableDefinition.ts'
import { forbiddenKeyspace, isSystemKeyspace, unknownTable } from '../../../tables/tableNames.ts'
import { displayTable, tableCodec, type TableSchema } from '../../../tables/tableSchema.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { Resource } from '../../../core/ports/port.ts'
import type { RowPage, TableDescription, Tables } from '../../../core/ports/tables.ts'
import { queryCassandra, valuesOf, type QueryRow } from '../lookup/queryCassandra.ts'
import type { CqlRequest, CqlSession } from '../client/cqlSession.ts'
import { commandError } from '../client/driverError.ts'
import { encodeCanonical } from '../protocol/valueBytes.ts'
import { describeTable, readSchema } from './readSchema.ts'

const insertsInFlight = 128
const mostReplicas = 3

/** What commands do with a cluster's tables. */
export class CassandraTables implements Tables, Resource {
  readonly #session: CqlSession
  readonly #localDatacenter: string
  /** Reads that go on, by the token of their next page. */
  readonly #reading = new Map<string, AsyncIterator<QueryRow>>()
  #tokens = 0

  constructor(session: CqlSession, localDatacenter: string) {
    this.#session = session
    this.#localDatacenter = localDatacenter
  }

  connect(): Promise<void> {
    return this.#session.connect()
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  /** All tables but Cassandra's own, by name. */
  async listTables(): Promise<readonly TableDescription[]> {
    const found = await valuesOf(this.#session, 'SELECT keyspace_name, table_name FROM system_schema.tables')
    const names = found.map((values) => values.map(String)).filter(([keyspace = '']) => !isSystemKeyspace(keyspace))
    const descriptions: TableDescription[] = []
    for (const [keyspace = '', table = ''] of names.toSorted((a, b) => (a.join('.') < b.join('.') ? -1 : 1))) {
      const description = await describeTable(this.#session, keyspace, table)
      if (description !== null) descriptions.push(description)
    }
    return descriptions
  }

  /** Rows in the row encoding, in the cluster's order. Throws `unknown-table`. Holds one page of 1,000 rows. */
  async readTable(
    keyspace: string,
    table: string,
    { after, limit }: { readonly after: string | null; readonly limit: number },
  ): Promise<RowPage> {
    const iterator = after === null ? await this.#open(keyspace, table) : this.#reading.get(after)
    if (iterator === undefined) return { rows: [], next: null }
    if (after !== null) this.#reading.delete(after)
    const rows: string[] = []
    while (rows.length < limit) {
      const read = await iterator.next()
      if (read.done === true) return { rows, next: null }
      rows.push(read.value.encoded)
    }
    this.#tokens += 1
    const next = String(this.#tokens)
    this.#reading.set(next, iterator)
    return { rows, next }
  }

  /**
   * Checks a definition and its rows as a whole (see `parseTableDefinition`), makes keyspace, types and table where they are
   * missing, and stores the rows over those of the same key. A keyspace is made with three replicas, or as many as the
   * datacenter has nodes. Throws `invalid-input`, also for a table that is there and differs, and `forbidden-keyspace`.
   */
  async loadTable(json: unknown): Promise<number> {
    const { schema, rows } = parseTableDefinition(json)
    if (isSystemKeyspace(schema.keyspace)) throw forbiddenKeyspace(schema.keyspace)
    const requests = rows.map((row, index) => insertOf(schema, row, index))
    await this.#make(schema)
    for (let at = 0; at < requests.length; at += insertsInFlight) {
      await Promise.all(requests.slice(at, at + insertsInFlight).map((request) => this.#write(request)))
    }
    return requests.length
  }

  async #open(keyspace: string, table: string): Promise<AsyncIterator<QueryRow>> {
    if ((await describeTable(this.#session, keyspace, table)) === null) throw unknownTable(keyspace, table)
    const { rows } = await queryCassandra(this.#session, `SELECT * FROM ${qualifiedName({ keyspace, table })}`)
    return rows[Symbol.asyncIterator]()
  }

  async #make(schema: TableSchema): Promise<void> {
    const existing = await readSchema(this.#session, schema.keyspace, schema.table)
    if (existing !== null) {
      const [wanted, found] = [schema, existing].map(shapeOf)
      if (wanted === found) return
      throw new TidemarkError(
        'invalid-input',
        `Table ${displayTable(schema)} exists with other columns or another key: it has ${found ?? ''}, and the definition has ${wanted ?? ''}`,
      )
    }
    const keyspace = quoteIdentifier(schema.keyspace)
    const datacenter = this.#localDatacenter.replaceAll("'", "''")
    const replicas = Math.min(mostReplicas, await this.#nodes())
    await queryCassandra(
      this.#session,
      `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', '${datacenter}': ${String(replicas)}}`,
    )
    for (const { name, fields } of udtsOf([...schema.columns.values()])) {
      const list = fields.map((field) => `${quoteIdentifier(field.name)} ${formatCqlType(field.type)}`).join(', ')
      await queryCassandra(this.#session, `CREATE TYPE IF NOT EXISTS ${keyspace}.${quoteIdentifier(name)} (${list})`)
    }
    const columns = [...schema.columns].map(([name, type]) => `${quoteIdentifier(name)} ${formatCqlType(type)}`)
    const partition = `(${schema.partitionKey.map(quoteIdentifier).join(', ')})`
    const key = [partition, ...schema.clusteringKey.map(quoteIdentifier)].join(', ')
    await queryCassandra(
      this.#session,
      `CREATE TABLE IF NOT EXISTS ${qualifiedName(schema)} (${columns.join(', ')}, PRIMARY KEY (${key}))`,
    )
  }

  /** Nodes of this datacenter. */
  async #nodes(): Promise<number> {
    const others = await valuesOf(this.#session, 'SELECT data_center FROM system.peers_v2')
    return 1 + others.filter(([datacenter]) => datacenter === this.#localDatacenter).length
  }

  async #write(request: CqlRequest): Promise<void> {
    try {
      await this.#session.execute(request)
    } catch (error) {
      throw commandError(error, 'a row')
    }
  }
}

/** One row as an INSERT of all columns; names stand in the text, quoted, and values are bound. */
function insertOf(schema: TableSchema, row: unknown, index: number): CqlRequest {
  try {
    encodeRowKey(schema, row)
    const texts = columnTexts({ schema, encoded: encodeRow(schema, row) })
    const columns = tableCodec(schema).columns
    const values = columns.flatMap(({ name, type }) => {
      const text = texts.get(name) ?? 'null'
      return text === 'null' ? [] : [encodeCanonical(type, text)]
    })
    const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ')
    const places = columns.map(({ name }) => (texts.get(name) === 'null' ? 'null' : '?')).join(', ')
    const cql = `INSERT INTO ${qualifiedName(schema)} (${names}) VALUES (${places})`
    return { cql, values, route: { keyspace: schema.keyspace, key: null } }
  } catch (cause) {
    throw asRowError(cause, index)
  }
}

function qualifiedName({ keyspace, table }: { readonly keyspace: string; readonly table: string }): string {
  return `${quoteIdentifier(keyspace)}.${quoteIdentifier(table)}`
}

/** Columns and key in one text, to compare two tables by. */
function shapeOf(schema: TableSchema): string {
  const columns = tableCodec(schema).columns.map(({ name, type }) => `${quoteIdentifier(name)} ${formatCqlType(type)}`)
  const key = [schema.partitionKey, schema.clusteringKey].map((names) => `(${names.map(quoteIdentifier).join(', ')})`)
  return `${columns.join(', ')}, key ${key.join(' ')}`
}

/** The user-defined types that some types are made of, each after those it is made of itself. */
function udtsOf(types: readonly CqlType[]): readonly UdtType[] {
  const found = new Map<string, UdtType>()
  const visit = (type: CqlType): void => {
    if (type.kind === 'udt' && found.has(type.name)) return
    innerTypes(type).map(visit)
    if (type.kind === 'udt') found.set(type.name, type)
  }
  types.map(visit)
  return [...found.values()]
}
