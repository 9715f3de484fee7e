import { rowLookupPort, type RowLookup } from '../src/tables/rowLookup.ts'
import { operatorContext, type PipelineContext } from '../src/core/context.ts'

/**
 * The client for `asyncLookup` that reads one row by what the message names: keyspace, table and primary key. A hit is a
 * `Row` with its schema and canonical encoding.
 *
 * Nothing of the message reaches a statement unchecked; `unknown-table`, `forbidden-keyspace`, `key-mismatch` and
 * `invalid-value` are errors of one record. One client per process, connected before the first epoch and closed at the
 * end: Cassandra where `cassandra.contact.points` is set, else the embedded tables.
 *
 * @example asyncLookup(context, { lookup: cassandraRow(context), wait: 'unordered' })
 */
export function cassandraRow(context: PipelineContext): RowLookup {
  return operatorContext(context).open(rowLookupPort)
}
