import type { Clock } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { LookupOutcome, LookupTurn } from '../../../core/ports/lookup.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { figure, type Figure } from '../../../core/figures.ts'
import type { Row } from '../../../tables/row.ts'
import { requestedKey, type RowLookup, type RowRequest } from '../../../tables/rowLookup.ts'
import { forbiddenKeyspace, isSystemKeyspace, unknownTable } from '../../../tables/tableNames.ts'
import type { TableSchema } from '../../../tables/tableSchema.ts'
import { BoundedSession, RequestSlots, LookupParts } from '../client/boundedSession.ts'
import type { CqlSession } from '../client/cqlSession.ts'
import type { CassandraConfig } from '../config/cassandraConfig.ts'
import { failedOutcome } from '../client/driverError.ts'
import { GroupReader, type Wanted } from './groupReader.ts'
import { SchemaVersion, KnownTables } from '../schema/knownTables.ts'
import type { TableReads } from './tableReads.ts'

/** What bounds the lookups of one process; after `requestTimeoutMs` the session ends a request that is not answered. */
type Limits = Pick<CassandraConfig, 'maxInFlight' | 'maxTables' | 'requestTimeoutMs'>

/**
 * Reads rows of Cassandra by primary key, as THE row encoding has them. Nothing of a message reaches the text of a
 * statement: keyspace and table are looked up in the cluster's schema, keys are converted by it and bound as values.
 *
 * A key is read once however often a group names it, and keys that differ only in their last clustering column, or that
 * are whole partition keys, share a request. Retriable is only what says nothing about a row (`system-unreachable`); a
 * table that changes while it is read is read again once by its new schema. Beyond `maxInFlight` requests wait, which does
 * not count as time of their lookups; those of lookups that were given up are not sent. Memory: `maxTables` schemas and
 * statements, `maxInFlight` answers.
 */
export class CassandraRowLookup implements RowLookup {
  readonly name = 'cassandra'
  readonly hasTurns = true
  readonly requestTimeoutMs: number
  readonly #session: CqlSession
  readonly #slots: RequestSlots
  readonly #catalog: KnownTables
  readonly #reader: GroupReader

  /** @param session not connected yet; this lookup connects and closes it. */
  constructor(session: CqlSession, limits: Limits, clock: Clock, log: Logger) {
    this.#session = session
    this.requestTimeoutMs = limits.requestTimeoutMs
    this.#slots = new RequestSlots(limits.maxInFlight)
    const bounded = new BoundedSession(session, this.#slots)
    // The version, one small read a second, is asked for past all that waits: lookups wait for it.
    this.#catalog = new KnownTables(bounded, new SchemaVersion(session, clock), limits.maxTables)
    this.#reader = new GroupReader(bounded, this.#catalog, log)
  }

  connect(): Promise<void> {
    return this.#session.connect()
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  /** Reads again what could not be read, past all that waits for its turn; any node answers where there is nothing. */
  probe(): Promise<void> {
    return this.#reader.probes.probe(this.#session)
  }

  schema(keyspace: string, tableName: string): TableSchema | undefined {
    return this.#catalog.schema(keyspace, tableName)
  }

  /** The common case has a way of its own: it costs a third of a group of one. */
  async lookup(request: RowRequest, turn?: LookupTurn): Promise<LookupOutcome<Row>> {
    const parts = new LookupParts(turn)
    try {
      const reads = this.#catalog.current(request.keyspace, request.tableName) ?? (await this.#find(request))
      const reading = this.#reader.readOne(reads, requestedKey(reads.schema, request), request, parts)
      parts.begins()
      return await reading
    } catch (error) {
      return errorOutcome(error, request)
    }
  }

  async lookupMany(requests: readonly RowRequest[], turn?: LookupTurn): Promise<readonly LookupOutcome<Row>[]> {
    const parts = new LookupParts(turn)
    const outcomes = Array.from<unknown, LookupOutcome<Row>>({ length: requests.length }, () => noOutcome)
    const wanted = new Map<TableReads, Wanted[]>()
    const unresolved: Promise<void>[] = []
    for (const [at, request] of requests.entries()) {
      const settle = (outcome: LookupOutcome<Row>): void => {
        outcomes[at] = outcome
      }
      const reads = this.#catalog.current(request.keyspace, request.tableName)
      if (reads === undefined) unresolved.push(this.#resolve(request, settle, wanted))
      else want(wanted, reads, request, settle)
    }
    if (unresolved.length > 0) await Promise.all(unresolved)
    const reading = Promise.all([...wanted].map(([reads, ofTable]) => this.#reader.read(reads, ofTable, parts)))
    parts.begins()
    await reading
    return outcomes
  }

  /** A table that is not known, or not for sure. System tables never become known. */
  async #find({ keyspace, tableName }: RowRequest): Promise<TableReads> {
    if (isSystemKeyspace(keyspace)) throw forbiddenKeyspace(keyspace)
    const reads = await this.#catalog.find(keyspace, tableName)
    if (reads === null) throw unknownTable(keyspace, tableName)
    return reads
  }

  async #resolve(request: RowRequest, settle: Wanted['settle'], wanted: Map<TableReads, Wanted[]>): Promise<void> {
    try {
      want(wanted, await this.#find(request), request, settle)
    } catch (error) {
      settle(errorOutcome(error, request))
    }
  }

  figures(): readonly Figure[] {
    const { hits, misses, evictions, rereads } = this.#catalog.counts
    const { requests, keys, timeouts, failures } = this.#reader.counts
    return [
      figure('counter', 'cassandra_requests', 'Requests for rows.', requests),
      figure('counter', 'cassandra_keys', 'Distinct keys in requests for rows.', keys),
      figure('counter', 'cassandra_timeouts', 'Requests that no node answered in time.', timeouts),
      figure('counter', 'cassandra_failures', 'Requests that ended with an error, timeouts included.', failures),
      figure('counter', 'cassandra_statement_cache_hits', 'Lookups whose table was known.', hits),
      figure('counter', 'cassandra_statement_cache_misses', 'Lookups whose table had to be read first.', misses),
      figure('counter', 'cassandra_statement_cache_evictions', 'Tables that went to make room for others.', evictions),
      figure('counter', 'cassandra_schema_rereads', 'Tables read again after an answer that did not fit.', rereads),
      figure('gauge', 'cassandra_statements', 'Tables that are known.', this.#catalog.size),
      figure('gauge', 'cassandra_in_flight', 'Requests under way.', this.#slots.inFlight),
      figure('gauge', 'cassandra_waiting', 'Requests that wait for their turn.', this.#slots.waiting),
    ]
  }
}

const noOutcome: LookupOutcome<Row> = {
  kind: 'error',
  error: new TidemarkError('broken-invariant', 'A lookup in Cassandra ended without an outcome.'),
}

function want(
  wanted: Map<TableReads, Wanted[]>,
  reads: TableReads,
  request: RowRequest,
  settle: Wanted['settle'],
): void {
  try {
    const one: Wanted = { request, key: requestedKey(reads.schema, request), settle }
    const ofTable = wanted.get(reads)
    if (ofTable === undefined) wanted.set(reads, [one])
    else ofTable.push(one)
  } catch (error) {
    settle(errorOutcome(error, request))
  }
}

function errorOutcome(error: unknown, { keyspace, tableName }: RowRequest): LookupOutcome<Row> {
  if (error instanceof TidemarkError) return { kind: 'error', error }
  return failedOutcome(error, `${keyspace}.${tableName}`)
}
