import { errors, types } from 'cassandra-driver'
import { formatCqlType, isMultiCell, type CqlType, type UdtType } from '../../../src/tables/cqlType.ts'
import { parseTableDefinition } from '../../../src/tables/parseTableDefinition.ts'
import { encodeRowKey } from '../../../src/tables/primaryKey.ts'
import { columnTexts, encodeRow } from '../../../src/tables/row.ts'
import { keyColumns, type TableSchema } from '../../../src/tables/tableSchema.ts'
import type { CqlRequest, CqlResponse, CqlSession } from '../../../src/connectors/cassandra/client/cqlSession.ts'
import { byteDecoder, encodeCanonical, encodeList } from '../../../src/connectors/cassandra/protocol/valueBytes.ts'
import type { Cells } from '../../../src/connectors/cassandra/protocol/rawCells.ts'
import type { ResponseType } from '../../../src/connectors/cassandra/protocol/responseType.ts'

const text: CqlType = { kind: 'native', name: 'text' }
const codes: Readonly<Record<string, number>> = {
  ascii: 1,
  bigint: 2,
  blob: 3,
  boolean: 4,
  counter: 5,
  decimal: 6,
  double: 7,
  float: 8,
  int: 9,
  timestamp: 11,
  uuid: 12,
  text: 13,
  varint: 14,
  timeuuid: 15,
  inet: 16,
  date: 17,
  time: 18,
  smallint: 19,
  tinyint: 20,
  duration: 21,
}

interface FakeTable {
  readonly schema: TableSchema
  /** The canonical text of each column, by the key's bytes in hex. */
  readonly rows: Map<string, ReadonlyMap<string, string>>
}

/** How one request is answered, instead of as usual. */
export type Behaviour = { readonly error: Error } | { readonly never: true } | undefined

/**
 * A cluster in memory behind the session's interface: it knows no statement but those of the connector, answers in the
 * protocol's bytes, and counts. What it does not understand it refuses as Cassandra refuses a wrong statement.
 */
export class FakeCassandra implements CqlSession {
  readonly requests: CqlRequest[] = []
  connects = 0
  closes = 0
  inFlight = 0
  mostInFlight = 0
  /** Another one after each change of a table. */
  schemaVersion = 1
  behave: (request: CqlRequest) => Behaviour = () => undefined
  /** Rows on one page; the first page of each answer is empty then. Null: all rows on one page. */
  pageRows: number | null = null
  /** Answers wait for `release` while true. */
  paused = false
  readonly #tables = new Map<string, FakeTable>()
  readonly #waiting: (() => void)[] = []

  constructor(definitions: readonly unknown[] = []) {
    for (const definition of definitions) this.load(definition)
  }

  load(definition: unknown): void {
    const { schema, rows } = parseTableDefinition(definition)
    const table: FakeTable = { schema, rows: new Map() }
    for (const row of rows) {
      const texts = columnTexts({ schema, encoded: encodeRow(schema, row) })
      table.rows.set(encodeRowKey(schema, row).bytes.toString('hex'), texts)
    }
    this.#tables.set(`${schema.keyspace}.${schema.table}`, table)
    this.schemaVersion += 1
  }

  drop(keyspace: string, table: string): void {
    this.#tables.delete(`${keyspace}.${table}`)
    this.schemaVersion += 1
  }

  /** Statements that read rows, each once: what a cluster would have to prepare. */
  get prepared(): readonly string[] {
    return [...new Set(this.reads.map(({ cql }) => cql))]
  }

  /** Requests for rows. */
  get reads(): readonly CqlRequest[] {
    return this.requests.filter(({ route }) => route !== undefined)
  }

  /** Requests for schemas of tables. */
  get schemaReads(): readonly CqlRequest[] {
    return this.requests.filter(({ cql }) => cql.includes('system_schema.columns'))
  }

  connect(): Promise<void> {
    this.connects += 1
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.closes += 1
    return Promise.resolve()
  }

  release(): void {
    this.paused = false
    for (const go of this.#waiting.splice(0)) go()
  }

  async execute(request: CqlRequest): Promise<CqlResponse> {
    this.requests.push(request)
    this.inFlight += 1
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    try {
      if (this.paused) await new Promise<void>((resolve) => this.#waiting.push(resolve))
      const behaviour = this.behave(request)
      if (behaviour !== undefined) {
        if ('error' in behaviour) throw behaviour.error
        await new Promise(() => undefined)
      }
      await Promise.resolve()
      return paged(this.#answer(request), request, this.pageRows)
    } finally {
      this.inFlight -= 1
    }
  }

  #answer(request: CqlRequest): CqlResponse {
    const { cql, values } = request
    const names = values.map((value) => value.toString())
    if (cql.startsWith('SELECT schema_version')) return rowsOf([[Buffer.alloc(16, this.schemaVersion)]])
    if (cql.startsWith('SELECT key FROM system.local')) return rowsOf([[Buffer.from('local')]])
    if (cql.includes('FROM system_schema.columns')) return rowsOf(this.#columnRows(names.join('.')))
    if (cql.includes('FROM system_schema.types')) return rowsOf(this.#typeRows(names[0] ?? ''))
    for (const table of this.#tables.values()) {
      const answer = readRows(table, request)
      if (answer !== null) return answer
    }
    throw invalidRequest(`no such table or column: ${cql}`)
  }

  #columnRows(name: string): Cells[] {
    const schema = this.#tables.get(name)?.schema
    if (schema === undefined) return []
    return [...schema.columns].map(([column, type]) => {
      const partition = schema.partitionKey.indexOf(column)
      const clustering = schema.clusteringKey.indexOf(column)
      const kind = partition >= 0 ? 'partition_key' : clustering >= 0 ? 'clustering' : 'regular'
      const position = Buffer.alloc(4)
      position.writeInt32BE(Math.max(partition, clustering))
      return [Buffer.from(column), Buffer.from(formatCqlType(type)), Buffer.from(kind), position]
    })
  }

  #typeRows(keyspace: string): Cells[] {
    const udts = new Map<string, UdtType>()
    for (const { schema } of this.#tables.values()) {
      if (schema.keyspace === keyspace) for (const type of schema.columns.values()) collectTypes(type, udts)
    }
    const list = (values: readonly string[]): Buffer =>
      encodeList(values.map((value) => encodeCanonical(text, JSON.stringify(value))))
    // The last one first: the order in which a cluster has them says nothing.
    return [...udts.values()]
      .toReversed()
      .map(({ name, fields }) => [
        Buffer.from(name),
        list(fields.map((field) => field.name)),
        list(fields.map((field) => formatCqlType(field.type))),
      ])
  }
}

function readRows({ schema, rows }: FakeTable, { cql, values }: CqlRequest): CqlResponse | null {
  const key = keyColumns(schema)
  const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
  const from = ` FROM ${quote(schema.keyspace)}.${quote(schema.table)} WHERE `
  const [selected = ''] = cql.split(from)
  // A table may have got more columns since the statement was made; it may not have lost one.
  const columns = [...selected.matchAll(/"((?:[^"]|"")+)"/g)].map(([, name = '']) => name.replaceAll('""', '"'))
  const head = `SELECT ${columns.map(quote).join(', ')}${from}`
  if (!cql.startsWith(head) || !columns.every((name) => schema.columns.has(name))) return null
  const conditions = key.map(quote)
  const single = conditions.map((name) => `${name} = ?`).join(' AND ')
  const group = conditions.map((name, at) => `${name} ${at === key.length - 1 ? 'IN' : '='} ?`).join(' AND ')
  const where = cql.slice(head.length)
  if (where !== single && where !== group) return null
  const texts = values.map((value, at) =>
    textsOf(schema, key[at] ?? '', value, where === group && at === key.length - 1),
  )
  const found = (texts.at(-1) ?? []).flatMap((last) => {
    const parts = [...texts.slice(0, -1).map(([part]) => part ?? ''), last]
    return rows.get(Buffer.from(parts.join('\0')).toString('hex')) ?? []
  })
  return {
    columns: columns.map((name) => ({ name, type: responseType(schema.columns.get(name) ?? text) })),
    rows: found.map((row) => columns.map((name) => cellOf(schema.columns.get(name) ?? text, row.get(name) ?? 'null'))),
    pageState: null,
  }
}

function textsOf(schema: TableSchema, column: string, value: Buffer, isList: boolean): readonly string[] {
  const type = schema.columns.get(column) ?? text
  const decoded = byteDecoder(isList ? { kind: 'list', element: type, frozen: true } : type)(value)
  const encode = (one: unknown): string => {
    const row = columnTexts({ schema, encoded: encodeRow(schema, { [column]: one }) })
    return row.get(column) ?? ''
  }
  return isList ? (decoded as readonly unknown[]).map(encode) : [encode(decoded)]
}

function cellOf(type: CqlType, canonical: string): Buffer | null {
  return canonical === 'null' ? null : encodeCanonical(type, canonical)
}

/** A page of an answer, as a server gives it that stops early. */
function paged(answer: CqlResponse, { pageState }: CqlRequest, pageRows: number | null): CqlResponse {
  if (pageRows === null) return answer
  if (pageState === undefined) return { ...answer, rows: [], pageState: '0' }
  const from = Number(pageState)
  const end = from + pageRows
  return { ...answer, rows: answer.rows.slice(from, end), pageState: end < answer.rows.length ? String(end) : null }
}

function rowsOf(rows: readonly Cells[]): CqlResponse {
  return { columns: [], rows, pageState: null }
}

function collectTypes(type: CqlType, into: Map<string, UdtType>): void {
  if (type.kind === 'udt') {
    for (const field of type.fields) collectTypes(field.type, into)
    into.set(type.name, type)
  } else if (type.kind === 'tuple') {
    for (const element of type.elements) collectTypes(element, into)
  } else if (type.kind === 'map') {
    collectTypes(type.key, into)
    collectTypes(type.value, into)
  } else if (type.kind !== 'native') {
    collectTypes(type.element, into)
  }
}

/** As protocol version 5 would name it: all types but vectors have a code. */
export function responseType(type: CqlType): ResponseType {
  switch (type.kind) {
    case 'native':
      return { code: codes[type.name] ?? 0 }
    case 'list':
      return { code: 32, info: responseType(type.element) }
    case 'set':
      return { code: 34, info: responseType(type.element) }
    case 'map':
      return { code: 33, info: [responseType(type.key), responseType(type.value)] }
    case 'tuple':
      return { code: 49, info: type.elements.map(responseType) }
    case 'udt':
      return {
        code: 48,
        info: {
          name: type.name,
          fields: type.fields.map((field) => ({ name: field.name, type: responseType(field.type) })),
        },
      }
    case 'vector':
      return {
        code: 0,
        info: `org.apache.cassandra.db.marshal.VectorType(${className(type.element)} , ${String(type.dimensions)})`,
      }
  }
}

function className(type: CqlType): string {
  const names: Readonly<Record<string, string>> = { float: 'FloatType', text: 'UTF8Type', int: 'Int32Type' }
  const name = type.kind === 'native' ? names[type.name] : undefined
  if (name === undefined || isMultiCell(type)) throw new Error(`the fake has no vector of ${formatCqlType(type)}`)
  return `org.apache.cassandra.db.marshal.${name}`
}

/** What Cassandra answers to a statement that it cannot run. */
export function invalidRequest(message: string): Error {
  return new errors.ResponseError(types.responseErrorCodes.invalid, message)
}

/** Fewer replicas are alive than the consistency asks for. */
export function unavailable(): Error {
  return new errors.ResponseError(types.responseErrorCodes.unavailableException, 'Not enough replicas available')
}

/** What says nothing about a row. */
export function overloaded(): Error {
  return new errors.ResponseError(types.responseErrorCodes.overloaded, 'too many requests')
}
