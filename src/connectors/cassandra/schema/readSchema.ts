import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { formatCqlType, type CqlType, type UdtType } from '../../../tables/cqlType.ts'
import { parseCqlType } from '../../../tables/parseCqlType.ts'
import { displayTable, type TableSchema } from '../../../tables/tableSchema.ts'
import type { TableDescription } from '../../../core/ports/tables.ts'
import type { CqlRequest, CqlSession } from '../client/cqlSession.ts'
import { byteDecoder } from '../protocol/valueBytes.ts'
import type { Cells } from '../protocol/rawCells.ts'

// The driver's own metadata is not asked: it puts names into the text of its statements, and names come from messages.
const selectColumns =
  'SELECT column_name, type, kind, position FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?'
const selectTypes = 'SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = ?'

/** What Cassandra lets a name of a keyspace or table be; columns and types may be called anything. */
const tableName = /^\w{1,222}$/

const texts = byteDecoder({ kind: 'list', element: { kind: 'native', name: 'text' }, frozen: true })

/**
 * The table as the cluster has it now; null for none. Names are exact. A name that no table can have is not asked for, all
 * others are bound as values. Throws `lookup-failed` for a table with a column of no CQL type; otherwise rejects as the
 * session does.
 */
export async function readSchema(
  session: Pick<CqlSession, 'execute'>,
  keyspace: string,
  table: string,
): Promise<TableSchema | null> {
  const columns = await readColumns(session, keyspace, table)
  if (columns.length === 0) return null
  const udts = await readTypes(session, keyspace)
  const place = { keyspace, table, columns: new Map<string, CqlType>(), partitionKey: [], clusteringKey: [] }
  const types = columns.map(({ name, type }) => [name, parse(place, name, type, udts)] as const)
  return {
    keyspace,
    table,
    columns: new Map(types),
    partitionKey: keyOf(columns, 'partition_key'),
    clusteringKey: keyOf(columns, 'clustering'),
  }
}

/** All pages: what is not on the first one would be a table that is not there. */
async function allRows(session: Pick<CqlSession, 'execute'>, request: CqlRequest): Promise<readonly Cells[]> {
  const rows: Cells[] = []
  for (let page = await session.execute(request); ;) {
    rows.push(...page.rows)
    if (page.pageState === null) return rows
    page = await session.execute({ ...request, pageState: page.pageState })
  }
}

/** A table for a listing: its columns with their types as text, whatever types these are. Null: there is none. */
export async function describeTable(
  session: Pick<CqlSession, 'execute'>,
  keyspace: string,
  table: string,
): Promise<TableDescription | null> {
  const columns = await readColumns(session, keyspace, table)
  if (columns.length === 0) return null
  const udts = await readTypes(session, keyspace)
  return {
    keyspace,
    table,
    columns: columns.map(({ name, type }) => [name, shownType(type, udts)]),
    partitionKey: keyOf(columns, 'partition_key'),
    clusteringKey: keyOf(columns, 'clustering'),
  }
}

/** A class of the server's own, which CQL writes in quotes, stays as the cluster has it. */
function shownType(type: string, udts: ReadonlyMap<string, UdtType>): string {
  try {
    return formatCqlType(parseCqlType(type, udts))
  } catch {
    return type
  }
}

async function readColumns(
  session: Pick<CqlSession, 'execute'>,
  keyspace: string,
  table: string,
): Promise<readonly ColumnRow[]> {
  if (!tableName.test(keyspace) || !tableName.test(table)) return []
  const names = [keyspace, table].map((name) => Buffer.from(name))
  const rows = await allRows(session, { cql: selectColumns, values: names, systemTable: true })
  return rows.map(columnOf).filter(({ type }) => type !== 'empty')
}

function keyOf(columns: readonly ColumnRow[], kind: string): readonly string[] {
  return columns
    .filter((column) => column.kind === kind)
    .sort((a, b) => a.position - b.position)
    .map(({ name }) => name)
}

interface ColumnRow {
  readonly name: string
  readonly type: string
  readonly kind: string
  readonly position: number
}

function columnOf([name, type, kind, position]: Cells): ColumnRow {
  return { name: textOf(name), type: textOf(type), kind: textOf(kind), position: position?.readInt32BE(0) ?? -1 }
}

function textOf(cell: Buffer | null | undefined): string {
  return cell?.toString('utf8') ?? ''
}

/** The user-defined types of a keyspace. Which of them uses which is found by trying again while any becomes known. */
async function readTypes(
  session: Pick<CqlSession, 'execute'>,
  keyspace: string,
): Promise<ReadonlyMap<string, UdtType>> {
  const rows = await allRows(session, { cql: selectTypes, values: [Buffer.from(keyspace)], systemTable: true })
  const known = new Map<string, UdtType>()
  let waiting = rows
  for (let before = Infinity; waiting.length < before;) {
    before = waiting.length
    waiting = waiting.filter((row) => {
      const type = udtOf(row, known)
      if (type !== null) known.set(type.name, type)
      return type === null
    })
  }
  return known
}

/** Null while it uses a type that is not known yet. */
function udtOf([name, names, types]: Cells, known: ReadonlyMap<string, UdtType>): UdtType | null {
  const fieldTypes = listOf(types)
  try {
    const fields = listOf(names).map((field, index) => {
      const type = parseCqlType(fieldTypes[index] ?? '', known)
      return { name: field, type: 'frozen' in type ? { ...type, frozen: true } : type }
    })
    return { kind: 'udt', name: textOf(name), fields, frozen: false }
  } catch {
    return null
  }
}

function listOf(cell: Buffer | null | undefined): readonly string[] {
  return cell === null || cell === undefined ? [] : (texts(cell) as readonly string[])
}

function parse(place: TableSchema, column: string, type: string, udts: ReadonlyMap<string, UdtType>): CqlType {
  try {
    return parseCqlType(type, udts)
  } catch (error) {
    throw new TidemarkError(
      'lookup-failed',
      `Rows of ${displayTable(place)} cannot be read, because column ${JSON.stringify(column)} has a type that is not one of CQL's: ${messageOf(error)}`,
      { cause: error, details: { system: 'cassandra', column, type } },
    )
  }
}
