import { TidemarkError } from '../core/errors.ts'
import { containsType, isMultiCell, type CqlType, type UdtType } from './cqlType.ts'
import { showValue } from './invalidValue.ts'
import { parseCqlType } from './parseCqlType.ts'
import type { TableSchema } from './tableSchema.ts'
import { isJsonObject } from '../codecs/json/jsonNumber.ts'

/** A table and rows for it, as `tidemark table load` reads them. The rows are not looked into: `encodeRow` does. */
export interface TableDefinition {
  readonly schema: TableSchema
  readonly rows: readonly unknown[]
}

const members: ReadonlySet<string> = new Set(['keyspace', 'table', 'types', 'columns', 'primaryKey', 'rows'])
const maxNameLength = 1_000
/** Bounds how deep types can be nested in one another. */
const maxUdts = 100

/**
 * Reads a parsed JSON value of the form
 * `{keyspace, table, types?: {name: {field: type}}, columns: {name: type}, primaryKey: [[partition columns], [clustering columns]], rows: […]}`.
 *
 * `types` are user-defined types, each usable by those after it. Names are data: any text that is not empty, has no lone
 * surrogate and at most 1,000 characters. Throws `invalid-input` that names the path of the first mistake.
 */
export function parseTableDefinition(json: unknown): TableDefinition {
  const definition = object(json, 'the definition')
  for (const member of Object.keys(definition)) {
    if (!members.has(member)) throw mistake(showValue(member), `is not one of ${[...members].join(', ')}`)
  }
  const types = parseUdts(definition['types'] ?? {})
  const columns = parseColumns(definition['columns'], types)
  const [partitionKey, clusteringKey] = parsePrimaryKey(definition['primaryKey'], columns)
  const schema = {
    keyspace: name(definition['keyspace'], 'keyspace'),
    table: name(definition['table'], 'table'),
    columns,
    partitionKey,
    clusteringKey,
  }
  return { schema, rows: array(definition['rows'], 'rows') }
}

/** What is said of a row that does not fit its table; any other error than the codecs' own is thrown on as it is. */
export function asRowError(cause: unknown, index: number): unknown {
  if (!(cause instanceof TidemarkError)) return cause
  return new TidemarkError('invalid-input', `Row ${String(index)} of the table cannot be loaded: ${cause.message}`, {
    cause,
    details: { row: index },
  })
}

function mistake(path: string, what: string): TidemarkError {
  return new TidemarkError('invalid-input', `In the table definition, ${path} ${what}.`, { details: { path } })
}

function unexpected(value: unknown, path: string, expected: string): TidemarkError {
  return mistake(path, `is ${value === undefined ? 'missing' : showValue(value)}: expected ${expected}`)
}

function object(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (isJsonObject(value)) return value
  throw unexpected(value, path, 'an object')
}

function array(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[]
  throw unexpected(value, path, 'an array')
}

function name(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= maxNameLength && value.isWellFormed()) return value
  throw unexpected(value, path, `a name of 1 to ${String(maxNameLength)} characters without lone surrogates`)
}

function parseType(value: unknown, path: string, udts: ReadonlyMap<string, UdtType>): CqlType {
  if (typeof value !== 'string') throw mistake(path, `is ${showValue(value)}: expected the text of a CQL type`)
  try {
    return parseCqlType(value, udts)
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error
    throw new TidemarkError('invalid-input', `In the table definition, ${path}: ${error.message}`, {
      cause: error,
      details: { path },
    })
  }
}

function parseUdts(json: unknown): ReadonlyMap<string, UdtType> {
  const udts = new Map<string, UdtType>()
  for (const [udtName, fieldsJson] of Object.entries(object(json, 'types'))) {
    const path = `types.${showValue(udtName)}`
    name(udtName, path)
    const fields = Object.entries(object(fieldsJson, path)).map(([fieldName, text]) => {
      const fieldPath = `${path}.${showValue(fieldName)}`
      const type = parseType(text, fieldPath, udts)
      return { name: name(fieldName, fieldPath), type: 'frozen' in type ? { ...type, frozen: true } : type }
    })
    if (fields.length === 0) throw mistake(path, 'has no fields')
    if (udts.size === maxUdts) throw mistake('types', `has more than ${String(maxUdts)} types`)
    udts.set(udtName, { kind: 'udt', name: udtName, fields, frozen: false })
  }
  return udts
}

function parseColumns(json: unknown, udts: ReadonlyMap<string, UdtType>): ReadonlyMap<string, CqlType> {
  const columns = new Map<string, CqlType>()
  for (const [column, text] of Object.entries(object(json, 'columns'))) {
    const path = `columns.${showValue(column)}`
    columns.set(name(column, path), parseType(text, path, udts))
  }
  return columns
}

function parsePrimaryKey(
  json: unknown,
  columns: ReadonlyMap<string, CqlType>,
): readonly [partition: readonly string[], clustering: readonly string[]] {
  const parts = array(json, 'primaryKey')
  if (parts.length !== 2) throw mistake('primaryKey', 'is not [[partition columns], [clustering columns]]')
  const seen = new Set<string>()
  const [partition = [], clustering = []] = parts.map((part, index) =>
    array(part, `primaryKey[${String(index)}]`).map((column, at) => {
      const path = `primaryKey[${String(index)}][${String(at)}]`
      const type = typeof column === 'string' ? columns.get(column) : undefined
      if (typeof column !== 'string' || type === undefined)
        throw mistake(path, `is ${showValue(column)}: expected a column`)
      if (seen.has(column)) throw mistake(path, `names ${showValue(column)} a second time`)
      seen.add(column)
      checkKeyType(type, path)
      return column
    }),
  )
  if (partition.length === 0) throw mistake('primaryKey[0]', 'names no column: a partition key has at least one')
  return [partition, clustering]
}

/** What Cassandra refuses in a primary key: types without an order, and columns that are not one cell. */
function checkKeyType(type: CqlType, path: string): void {
  if (isMultiCell(type)) throw mistake(path, 'is a collection or user-defined type: in a key it must be frozen')
  for (const refused of ['counter', 'duration'] as const) {
    if (containsType(type, refused)) throw mistake(path, `has the type ${refused}, which a key cannot have`)
  }
}
