import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { displayIdentifier, formatCqlType, type CqlType, type UdtType } from '../../../tables/cqlType.ts'
import { parseCqlType } from '../../../tables/parseCqlType.ts'
import type { TableSchema } from '../../../tables/tableSchema.ts'
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

/** What is read with. */
type Reader = Pick<CqlSession, 'execute'>

/** A table whose types somebody has made sense of. */
interface ReadTable<Type> extends Omit<TableDescription, 'columns'> {
  readonly columns: readonly (readonly [name: string, type: Type])[]
}

/**
 * The table as the cluster has it now; null for none. Names are exact. A name that no table can have is not asked for, all
 * others are bound as values. Throws `lookup-failed` for a table with a column of no CQL type; otherwise rejects as the
 * session does.
 */
export async function readSchema(session: Reader, keyspace: string, table: string): Promise<TableSchema | null> {
  const read = await readTable(session, keyspace, table, (type, udts, column): CqlType => {
    try {
      return parseCqlType(type, udts)
    } catch (error) {
      const name = `${displayIdentifier(keyspace)}.${displayIdentifier(table)}`
      throw new TidemarkError(
        'lookup-failed',
        `Rows of ${name} cannot be read, because column ${JSON.stringify(column)} has a type that is not one of CQL's: ${messageOf(error)}`,
        { cause: error, details: { system: 'cassandra', column, type } },
      )
    }
  })
  return read === null ? null : { ...read, columns: new Map(read.columns) }
}

/** A table for a listing: its columns with their types as text, whatever types these are. Null: there is none. */
export async function describeTable(
  session: Reader,
  keyspace: string,
  table: string,
): Promise<TableDescription | null> {
  return readTable(session, keyspace, table, (type, udts) => {
    try {
      return formatCqlType(parseCqlType(type, udts))
    } catch {
      // A class of the server's own, which CQL writes in quotes, stays as the cluster has it.
      return type
    }
  })
}

async function readTable<Type>(
  session: Reader,
  keyspace: string,
  table: string,
  read: (type: string, udts: ReadonlyMap<string, UdtType>, column: string) => Type,
): Promise<ReadTable<Type> | null> {
  const columns = await readColumns(session, keyspace, table)
  if (columns.length === 0) return null
  const udts = await readTypes(session, keyspace)
  return {
    keyspace,
    table,
    columns: columns.map(({ name, type }) => [name, read(type, udts, name)] as const),
    partitionKey: keyOf(columns, 'partition_key'),
    clusteringKey: keyOf(columns, 'clustering'),
  }
}

/** All pages: what is not on the first one would be a table that is not there. */
async function allRows(session: Reader, request: CqlRequest): Promise<readonly Cells[]> {
  const rows: Cells[] = []
  for (let page = await session.execute(request); ;) {
    rows.push(...page.rows)
    if (page.pageState === null) return rows
    page = await session.execute({ ...request, pageState: page.pageState })
  }
}

async function readColumns(session: Reader, keyspace: string, table: string): Promise<readonly ColumnRow[]> {
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
async function readTypes(session: Reader, keyspace: string): Promise<ReadonlyMap<string, UdtType>> {
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
