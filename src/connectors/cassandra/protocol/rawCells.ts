import { types } from 'cassandra-driver'
import { TidemarkError } from '../../../core/errors.ts'
import { driverPrototype } from './driverPrototype.ts'
import { OpenConnections } from './openConnections.ts'

/*
 * Makes cassandra-driver hand over the bytes of each cell instead of values of its own classes, for the clients that ask
 * for it and for no other in the process. The driver has no setting for it, and its values lose what ours must keep:
 * timestamps beyond the range of `Date`, fields of a user-defined type called `__proto__`, durations and decimals of many
 * digits only through private fields. It also spares making and taking apart those objects.
 *
 * The one method that is replaced, `Parser.parseRows`, turns the rest of a complete frame into rows. Checked against the
 * pinned version of the driver by rawCells.test.ts; rows that are not raw are refused by `cellsOf`.
 */

/** The bytes of one row's cells in the order of its columns. */
export type Cells = readonly (Buffer | null)[]

/** The driver's option `encoding` of a client that gets raw cells, and whose connections are watched. */
export function rawEncoding(connections: OpenConnections): object {
  return { tidemark: connections }
}

/** What the driver's parser works with, as far as it is used here. */
interface FrameInfo {
  readonly header: unknown
  readonly meta: {
    readonly keyspace?: string
    readonly columns: readonly { readonly name: string; readonly type: unknown }[]
  }
  readonly flagsInfo: unknown
  /** Set for `eachRow` and `stream`, which take frames in parts. */
  readonly byRow?: boolean
}

interface Reader {
  readInt(): number
  readBytes(): Buffer | null
}

interface Parser {
  readonly encoder: {
    readonly encodingOptions: Readonly<Record<string, unknown>>
    decode(bytes: Buffer | null, type: unknown): unknown
  }
  parseRows(frame: FrameInfo, reader: Reader): void
  push(item: unknown): void
  handleParsingError(error: unknown, frame: FrameInfo, reader: null): void
}

const cells = Symbol('cells')

/** The driver's type definitions leave it out. */
type RowConstructor = new (columns: FrameInfo['meta']['columns']) => Record<string, unknown>
const { Row: DriverRow } = types as unknown as { readonly Row: RowConstructor }

/** The cells of a row of such a client. */
export function cellsOf(row: unknown): Cells {
  if (Array.isArray(row)) return row as Cells
  const found = typeof row === 'object' && row !== null && cells in row ? row[cells] : undefined
  if (Array.isArray(found)) return found as Cells
  throw new TidemarkError('broken-invariant', 'This version of cassandra-driver does not give the bytes of cells.')
}

function readRows(parser: Parser, frame: FrameInfo, reader: Reader): readonly unknown[] {
  const { keyspace, columns } = frame.meta
  const count = reader.readInt()
  const rows: Cells[] = []
  for (let index = 0; index < count; index += 1) rows.push(columns.map(() => reader.readBytes()))
  // The driver reads the system tables itself, on the same connections.
  const isDriverTable = keyspace === undefined || keyspace.startsWith('system')
  return isDriverTable ? rows.map((row) => driverRow(parser, frame, row)) : rows
}

/** A row as the driver makes it, with its bytes. */
function driverRow(parser: Parser, { meta }: FrameInfo, row: Cells): object {
  const values: Record<string, unknown> = new DriverRow(meta.columns)
  for (const [index, { name, type }] of meta.columns.entries()) {
    values[name] = parser.encoder.decode(row[index] ?? null, type)
  }
  Object.defineProperty(values, cells, { value: row })
  return values
}

function replaceParseRows(): void {
  const prototype = driverPrototype<Parser>(['parseRows'], {
    file: 'streams.js',
    name: 'Parser',
    what: 'parser where it is',
  })
  const original = prototype.parseRows
  prototype.parseRows = function parseRows(frame: FrameInfo, reader: Reader): void {
    if (frame.byRow === true || !(this.encoder.encodingOptions['tidemark'] instanceof OpenConnections)) {
      original.call(this, frame, reader)
      return
    }
    let rows: readonly unknown[]
    try {
      rows = readRows(this, frame, reader)
    } catch (error) {
      this.handleParsingError(error, frame, null)
      return
    }
    this.push({ header: frame.header, result: { rows, meta: frame.meta, flags: frame.flagsInfo } })
  }
}

replaceParseRows()
