import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { jsonRecord, parseJson, present, TidemarkError, type JsonKey, type StreamRecord } from 'tidemark'

const table = { keyspace: t.string, tableName: t.string, payload: present }

/** Version 1 names the row by one bare value, for a table whose primary key is one column. */
const byValue = t.type({ ...table, pk: present }, 'ReconcileRequest v1')

/** Version 2 names the row by its primary-key columns. */
const byColumns = t.type({ ...table, primaryKey: jsonRecord(t.unknown, 'object') }, 'ReconcileRequest v2')

/** A message: where its row is, and what the row should be. The payload is any JSON, null included, but never absent. */
export const ReconcileRequest = t.union([byColumns, byValue], 'ReconcileRequest')

export type ReconcileRequest = t.TypeOf<typeof ReconcileRequest>

/** A record without a value says by its key which row should be gone. */
export function deletionOf(key: JsonKey): unknown {
  return { ...key, payload: null }
}

/** The request of a record outside of a pipeline; null when there is none. */
export function decodeRequest({ key, raw }: StreamRecord): ReconcileRequest | null {
  const bytes = raw ?? key
  if (bytes === null) return null
  try {
    const parsed = parseJson(bytes.toString('utf8'), { numbers: 'exact' })
    const decoded = ReconcileRequest.decode(
      raw === null && typeof parsed === 'object' && parsed !== null ? { ...parsed, payload: null } : parsed,
    )
    return isLeft(decoded) ? null : decoded.right
  } catch (error) {
    if (error instanceof TidemarkError) return null
    throw error
  }
}
