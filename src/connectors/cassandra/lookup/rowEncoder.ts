import { TidemarkError } from '../../../core/errors.ts'
import { formatCqlType } from '../../../tables/cqlType.ts'
import { columnPlace, tableCodec, type ColumnCodec, type TableSchema } from '../../../tables/tableSchema.ts'
import type { CqlResponse } from '../client/cqlSession.ts'
import { cellText } from '../protocol/cellText.ts'
import type { Cells } from '../protocol/rawCells.ts'
import { responseTypeCheck } from '../protocol/responseType.ts'

interface ColumnEncoder {
  readonly column: ColumnCodec
  readonly hasType: ReturnType<typeof responseTypeCheck>
  /** The canonical text of a cell. Throws `lookup-failed`. */
  readonly text: (cell: Buffer | null) => string
}

/** Writes rows of a table as the cluster answers them, columns in the order of an encoded row, in the row encoding. */
export class RowEncoder {
  readonly #columns: readonly ColumnEncoder[]

  constructor(schema: TableSchema) {
    this.#columns = tableCodec(schema).columns.map((column) => columnEncoder(schema, column))
  }

  /** The columns in the order in which they have to be selected. */
  get names(): readonly string[] {
    return this.#columns.map(({ column }) => column.name)
  }

  /** False when the answer is not that of the table as it is known. */
  fits({ columns }: CqlResponse): boolean {
    const expected = this.#columns
    if (columns.length !== expected.length) return false
    return expected.every(({ column, hasType }, at) => {
      const answered = columns[at]
      return answered !== undefined && answered.name === column.name && hasType(answered.type)
    })
  }

  /** Throws `lookup-failed`, naming the column, for a value that the encoding has no text for. */
  encode(row: Cells): string {
    let encoded = ''
    for (const [at, { column, text }] of this.#columns.entries()) {
      encoded += `${at === 0 ? '{' : ','}${column.prefix}${text(row[at] ?? null)}`
    }
    return `${encoded}}`
  }

  /** The canonical text of one column. */
  text(row: Cells, at: number): string {
    return this.#columns[at]?.text(row[at] ?? null) ?? 'null'
  }
}

function columnEncoder(schema: TableSchema, column: ColumnCodec): ColumnEncoder {
  const { name, type } = column
  const unfit = ({ length }: Buffer, isOfType: boolean): TidemarkError => {
    const why = isOfType
      ? 'a number of too many digits, or an element without a value in a collection'
      : `${String(length)} bytes that are no ${formatCqlType(type)}`
    const { label } = columnPlace(schema, name)
    return new TidemarkError('lookup-failed', `A value of ${label} cannot be written in the row encoding: ${why}`, {
      details: { system: 'cassandra', column: name },
    })
  }
  return { column, hasType: responseTypeCheck(type), text: cellText(type, unfit) }
}
