import { TidemarkError } from '../../../core/errors.ts'
import type { LookupOutcome } from '../../../core/ports/lookup.ts'
import { containsType, quoteIdentifier, type CqlType } from '../../../tables/cqlType.ts'
import type { PrimaryKey } from '../../../tables/primaryKey.ts'
import type { Row } from '../../../tables/row.ts'
import { tableCodec, type TableSchema } from '../../../tables/tableSchema.ts'
import type { CqlRequest, CqlResponse } from '../client/cqlSession.ts'
import { encodeCanonical, encodeList, routingKey } from '../protocol/valueBytes.ts'
import type { Cells } from '../protocol/rawCells.ts'
import { RowEncoder } from './rowEncoder.ts'

/** Keys of one request: equal but for the part that IN stands on. */
export type KeyGroup = readonly [PrimaryKey, ...PrimaryKey[]]

/** Keys in one request at most. An IN over partitions is spread over the cluster by one node, so it is kept short. */
const mostClustered = 100
const mostPartitions = 32

const miss: LookupOutcome<Row> = { kind: 'miss' }

/**
 * How rows of one table are read: by one statement, for single keys and for groups. The names in it are the cluster's own,
 * quoted; values are bound in the bytes of their column's type.
 */
export class TableReads {
  readonly schema: TableSchema
  readonly cql: string
  readonly encoder: RowEncoder
  /** The place of IN among the parts of the key, always the last part; null: keys are read one by one. */
  readonly #inPart: number | null
  /** The place of that column in a row. */
  readonly #inCell: number
  readonly #keyTypes: readonly CqlType[]

  /** @param grouped false: the cluster takes no IN for this table. */
  constructor(schema: TableSchema, grouped = true) {
    const { key } = tableCodec(schema)
    this.schema = schema
    this.encoder = new RowEncoder(schema)
    this.#keyTypes = key.map(({ type }) => type)
    this.#inPart = grouped ? inPart(schema, this.#keyTypes) : null
    this.#inCell = this.encoder.names.findIndex((name) => name === key.at(-1)?.name)
    const columns = this.encoder.names.map(quoteIdentifier).join(', ')
    const where = key.map(({ name }, part) => `${quoteIdentifier(name)} ${part === this.#inPart ? 'IN' : '='} ?`)
    const table = `${quoteIdentifier(schema.keyspace)}.${quoteIdentifier(schema.table)}`
    this.cql = `SELECT ${columns} FROM ${table} WHERE ${where.join(' AND ')}`
  }

  /** Whether its statement takes several keys. */
  get grouped(): boolean {
    return this.#inPart !== null
  }

  /** Spreads distinct keys over requests. */
  group(keys: readonly PrimaryKey[]): readonly KeyGroup[] {
    const part = this.#inPart
    if (part === null) return keys.map((key) => [key])
    const most = part === 0 ? mostPartitions : mostClustered
    const open = new Map<string, [PrimaryKey, ...PrimaryKey[]]>()
    const groups: KeyGroup[] = []
    for (const key of keys) {
      // Canonical texts hold no U+0000, so parts cannot run into one another.
      const prefix = key.parts.slice(0, part).join('\0')
      const group = open.get(prefix)
      if (group !== undefined && group.length < most) {
        group.push(key)
      } else {
        const begun: [PrimaryKey, ...PrimaryKey[]] = [key]
        open.set(prefix, begun)
        groups.push(begun)
      }
    }
    return groups
  }

  request(group: KeyGroup): CqlRequest {
    const { keyspace, partitionKey } = this.schema
    const [first] = group
    const values = this.#keyTypes.map((type, part) => encodeCanonical(type, partOf(first, part)))
    // The partition of the first key: the node that is asked has at least that one.
    const route = { keyspace, key: routingKey(values, partitionKey.length) }
    const part = this.#inPart
    const type = part === null ? undefined : this.#keyTypes[part]
    if (part !== null && type !== undefined) {
      values[part] = encodeList(group.map((key) => encodeCanonical(type, partOf(key, part))))
    }
    return { cql: this.cql, values, route }
  }

  /** The outcome of a single key. Throws `lookup-failed` for a row that cannot be written. */
  outcome({ rows }: CqlResponse): LookupOutcome<Row> {
    const [row] = rows
    return row === undefined ? miss : this.#hit(row)
  }

  /**
   * The outcome of each key of a group, in their order; null: this answer does not tell, the key has to be read by itself.
   * Throws as `outcome`.
   *
   * Keys are bound as Cassandra stores them, and are told from one another by their canonical texts. But it is Cassandra
   * that decides which rows they name: with a row in the answer that no key's text is that of, no key is a miss for sure.
   */
  outcomes(group: KeyGroup, response: CqlResponse): readonly (LookupOutcome<Row> | null)[] {
    const part = this.#inPart
    if (part === null || group.length === 1) return [this.outcome(response)]
    // Null: several rows have the text.
    const found = new Map<string, Cells | null>()
    for (const row of response.rows) {
      const text = this.encoder.text(row, this.#inCell)
      found.set(text, found.has(text) ? null : row)
    }
    const rows = group.map((key) => found.get(partOf(key, part)))
    const isTold = rows.reduce((named, row) => (row === undefined ? named : named + 1), 0) === found.size
    return rows.map((row) => {
      if (row === undefined) return isTold ? miss : null
      return row === null ? null : this.#hit(row)
    })
  }

  #hit(row: Cells): LookupOutcome<Row> {
    return { kind: 'hit', result: { schema: this.schema, encoded: this.encoder.encode(row) } }
  }
}

function partOf({ parts }: PrimaryKey, part: number): string {
  const text = parts[part]
  if (text === undefined) throw new TidemarkError('broken-invariant', 'A primary key has lost a part.')
  return text
}

/**
 * IN stands on the last clustering column or, where there is none, on a partition key of one column. Not on a decimal:
 * Cassandra takes 1.0 and 1.00 for one clustering key and answers with the one that is stored.
 */
function inPart({ partitionKey, clusteringKey }: TableSchema, keyTypes: readonly CqlType[]): number | null {
  const last = keyTypes.length - 1
  const type = keyTypes[last]
  if (clusteringKey.length === 0 && partitionKey.length > 1) return null
  return type === undefined || containsType(type, 'decimal') ? null : last
}
