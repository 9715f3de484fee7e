import {
  compareWithRow,
  memberSource,
  requestedKey,
  type LookedUp,
  type Row,
  type RowLookup,
  type StreamRecord,
  type TableSchema,
} from 'tidemark'
import type { ReconcileRequest } from './request.ts'
import type { ReconcileSettings } from './settings.ts'

/** What Cassandra needs in order to equal the message. */
export type Action = 'NONE' | 'INSERT' | 'UPDATE' | 'DELETE'

/** A message with its row and both fingerprints. */
export type Reconciled = LookedUp<ReconcileRequest, Row> & {
  readonly hash: string | null
  readonly cass_hash: string | null
}

/** What the message and its row say about each other. */
export interface Verdict {
  readonly action: Action
  /** Columns whose value differs from the message's; empty unless the action is UPDATE. */
  readonly differing: readonly string[]
  /** Fields of the payload that name no column. */
  readonly ignored: number
}

/** Payload null: the row should be gone. Otherwise it should exist, and its columns equal the payload's fields. */
export function verdictOf({ payload }: ReconcileRequest, row: Row | null): Verdict {
  if (payload === null) return { action: row === null ? 'NONE' : 'DELETE', differing: [], ignored: 0 }
  if (row === null) return { action: 'INSERT', differing: [], ignored: 0 }
  const { equal, differing, ignored } = compareWithRow(row, payload)
  return { action: equal ? 'NONE' : 'UPDATE', differing, ignored }
}

/**
 * The result as JSON text, in the chosen shape. It is put together from texts that are JSON already: the row in its
 * canonical encoding, the payload exactly as it stands in the message.
 */
export function resultText(
  shape: ReconcileSettings['reconcile.shape'],
  record: StreamRecord<Reconciled>,
  rows: RowLookup,
  action: Action,
): string {
  const { message, row, hash, cass_hash: rowHash } = record.value
  const key = requestedKey(row?.schema ?? schemaOf(rows, message), message)
  const hashed = hashText(hash)
  const rowHashed = hashText(rowHash)
  switch (shape) {
    case 'action':
      return `{"pk":${key.keyValue},"hash":${hashed},"cass_hash":${rowHashed},"payload":${row?.encoded ?? 'null'},"ts":${String(record.timestamp)},"action":"${action}"}`
    case 'single-key':
      return `{"pk":${key.keyValue},"hashKafkaMessage":${hashed},"hashCassandraRow":${rowHashed},"payload":${payloadText(record)}}`
    case 'composite':
      return `{"primaryKey":${key.keyObject},"hashKafkaMessage":${hashed},"hashCassandraRow":${rowHashed},"payload":${payloadText(record)}}`
    case 'sql':
      return `{"primaryKey":${key.keyObject},"hash_kafka":${hashed},"hash_cassandra":${rowHashed},"payload":${payloadText(record)}}`
  }
}

/** A row that was missed comes without its table, which the lookup has just read. */
function schemaOf(rows: RowLookup, { keyspace, tableName }: ReconcileRequest): TableSchema {
  const schema = rows.schema(keyspace, tableName)
  if (schema === undefined)
    throw new Error(`The lookup of ${keyspace}.${tableName} succeeded and its schema is unknown`)
  return schema
}

/** The payload's own source text: big integers, key order and escapes survive. A record without a value has none. */
function payloadText(record: StreamRecord<unknown>): string {
  if (record.raw === null) return 'null'
  return memberSource(record.raw.toString('utf8'), 'payload') ?? 'null'
}

/** Hashes are hexadecimal digits, so nothing needs escaping. */
function hashText(hash: string | null): string {
  return hash === null ? 'null' : `"${hash}"`
}
