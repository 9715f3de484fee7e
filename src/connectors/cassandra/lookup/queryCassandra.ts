import { TidemarkError } from '../../../core/errors.ts'
import { formatCqlType, type CqlType } from '../../../tables/cqlType.ts'
import type { CqlResponse, CqlSession, ResponseColumn } from '../client/cqlSession.ts'
import { commandError } from '../client/driverError.ts'
import { cellText } from '../protocol/cellText.ts'
import type { Cells } from '../protocol/rawCells.ts'
import { typeOfResponse, type ResponseType } from '../protocol/responseType.ts'

/** A column of an answer, in the order of the SELECT. */
export interface QueryColumn {
  readonly name: string
  /**
   * As CQL writes it. What is frozen is not told by Cassandra and is shown as frozen. A class of the server's own that is
   * no CQL type is shown by its name, in quotes, and its values as bytes.
   */
  readonly type: string
}

export interface QueryRow {
  /** The canonical text of each column, in the order of the columns. */
  readonly texts: readonly string[]
  /** The whole row in the row encoding: a JSON object with its members ordered by name. */
  readonly encoded: string
}

export interface QueryAnswer {
  /** Empty for a statement that answers no rows. */
  readonly columns: readonly QueryColumn[]
  /** Read page by page while it is iterated. Rejects with `system-unreachable` when Cassandra stops answering. */
  readonly rows: AsyncIterable<QueryRow>
}

interface ColumnText {
  readonly column: QueryColumn
  readonly prefix: string
  readonly text: (cell: Buffer | null) => string
}

const pageRows = 1_000
const blobType: CqlType = { kind: 'native', name: 'blob' }

/**
 * Runs one CQL statement, whatever it is, on a connected session. The text comes from the user of a command, never from a
 * message. Throws `invalid-input` with Cassandra's own words where it refuses the statement, and `system-unreachable`.
 * Memory: one page of 1,000 rows.
 */
export async function queryCassandra(session: CqlSession, cql: string): Promise<QueryAnswer> {
  const first = await execute(session, cql, undefined)
  const columns = first.columns.map(columnText)
  return { columns: columns.map(({ column }) => column), rows: rowsOf(session, cql, columns, first) }
}

/** The values of all rows of an answer, as their canonical texts say. */
export async function valuesOf(session: CqlSession, cql: string): Promise<readonly (readonly unknown[])[]> {
  const { rows } = await queryCassandra(session, cql)
  const found: (readonly unknown[])[] = []
  for await (const { texts } of rows) found.push(texts.map((text): unknown => JSON.parse(text)))
  return found
}

async function execute(session: CqlSession, cql: string, pageState: string | undefined): Promise<CqlResponse> {
  try {
    return await session.execute({ cql, values: [], pageRows, ...(pageState === undefined ? {} : { pageState }) })
  } catch (error) {
    throw commandError(error, 'the statement')
  }
}

async function* rowsOf(
  session: CqlSession,
  cql: string,
  columns: readonly ColumnText[],
  first: CqlResponse,
): AsyncGenerator<QueryRow> {
  const order = columns.map((_, at) => at).sort((a, b) => compare(columns[a]?.column.name, columns[b]?.column.name))
  for (let page = first; ;) {
    for (const row of page.rows) yield queryRow(columns, order, row)
    if (page.pageState === null) return
    page = await execute(session, cql, page.pageState)
  }
}

function queryRow(columns: readonly ColumnText[], order: readonly number[], row: Cells): QueryRow {
  const texts = columns.map(({ text }, at) => text(row[at] ?? null))
  const members = order.map((at) => `${columns[at]?.prefix ?? ''}${texts[at] ?? ''}`)
  return { texts, encoded: `{${members.join(',')}}` }
}

function columnText({ name, type: responseType }: ResponseColumn): ColumnText {
  const { type, text: typeText } = shownType(responseType)
  return {
    column: { name, type: typeText },
    prefix: `${JSON.stringify(name)}:`,
    text: cellText(
      type,
      ({ length }) =>
        new TidemarkError(
          'invalid-input',
          `A value of column ${JSON.stringify(name)}, ${String(length)} bytes, cannot be written in the row encoding as ${typeText}.`,
        ),
    ),
  }
}

function shownType(type: ResponseType): { readonly type: CqlType; readonly text: string } {
  try {
    const known = typeOfResponse(type)
    return { type: known, text: formatCqlType(known) }
  } catch {
    const text = typeof type.info === 'string' ? `'${type.info}'` : JSON.stringify(type.info ?? type.code)
    return { type: blobType, text }
  }
}

/** By UTF-16 code units, as the row encoding orders its members. */
function compare(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0
}
