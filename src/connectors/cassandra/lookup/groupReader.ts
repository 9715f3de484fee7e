import { errors } from 'cassandra-driver'
import { TidemarkError } from '../../../core/errors.ts'
import type { LookupOutcome } from '../../../core/ports/lookup.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { PrimaryKey } from '../../../tables/primaryKey.ts'
import type { Row } from '../../../tables/row.ts'
import { requestedKey, type RowRequest } from '../../../tables/rowLookup.ts'
import { unknownTable } from '../../../tables/tableNames.ts'
import { displayTable } from '../../../tables/tableSchema.ts'
import { notSent, type BoundedSession, type LookupParts } from '../client/boundedSession.ts'
import type { CqlRequest, CqlResponse } from '../client/cqlSession.ts'
import { driverReason, failedOutcome, finalError, judgeDriverError, type DriverVerdict } from '../client/driverError.ts'
import { ProbeReads } from './probeReads.ts'
import type { KnownTables } from '../schema/knownTables.ts'
import type { KeyGroup, TableReads } from './tableReads.ts'

/** One row that somebody waits for. */
export interface Wanted {
  readonly request: RowRequest
  /** Of the request, by the table's schema. */
  readonly key: PrimaryKey
  settle(outcome: LookupOutcome<Row>): void
}

/** Pages of one answer that are read; each holds a row at least, or the next one does. */
const mostPages = 1_000

/** Times that a read is begun by another schema of its table; the tables of a cluster do not change faster than that. */
const mostRounds = 5

/** Reads groups of keys of one table, and finds out what a refusal means. */
export class GroupReader {
  /** What has been asked for so far. */
  readonly counts = { requests: 0, keys: 0, timeouts: 0, failures: 0 }
  readonly probes: ProbeReads = new ProbeReads()
  readonly #session: BoundedSession
  readonly #catalog: KnownTables
  readonly #log: Logger

  constructor(session: BoundedSession, catalog: KnownTables, log: Logger) {
    this.#session = session
    this.#catalog = catalog
    this.#log = log
  }

  /** The outcome of one key; never rejects. */
  async readOne(
    reads: TableReads,
    key: PrimaryKey,
    request: RowRequest,
    parts: LookupParts,
  ): Promise<LookupOutcome<Row>> {
    const read = reads.request([key])
    try {
      this.counts.requests += 1
      this.counts.keys += 1
      const first = await this.#session.execute(read, parts)
      this.probes.answered(read)
      const response = isWhole(first, 1) ? first : await this.#readOn(reads, read, first, 1, parts)
      if (reads.encoder.fits(response)) return reads.outcome(response)
      return await this.#readOneAnew(reads, key, request, parts, notOfSchema())
    } catch (error) {
      return this.#failed(read, error) === 'stale'
        ? this.#readOneAnew(reads, key, request, parts, error)
        : failedOutcome(error, displayTable(reads.schema))
    }
  }

  async #readOneAnew(
    reads: TableReads,
    key: PrimaryKey,
    request: RowRequest,
    parts: LookupParts,
    refusal: unknown,
  ): Promise<LookupOutcome<Row>> {
    let outcome: LookupOutcome<Row> = { kind: 'error', error: finalError(refusal, displayTable(reads.schema)) }
    const settle = (settled: LookupOutcome<Row>): void => {
      outcome = settled
    }
    await this.#readAnew(reads, [{ request, key, settle }], parts, 1, refusal)
    return outcome
  }

  /** Settles each of them; never rejects. */
  async read(reads: TableReads, wanted: readonly Wanted[], parts: LookupParts, round = 1): Promise<void> {
    // Each key once, with all who wait for it.
    const byText = new Map<string, Wanted[]>()
    const byKey = new Map<PrimaryKey, readonly Wanted[]>()
    for (const one of wanted) {
      const text = one.key.parts.join('\0')
      const same = byText.get(text)
      if (same !== undefined) {
        same.push(one)
        continue
      }
      const first = [one]
      byText.set(text, first)
      byKey.set(one.key, first)
    }
    const waitingFor = (key: PrimaryKey): readonly Wanted[] => byKey.get(key) ?? []
    const [single, ...others] = reads.group([...byKey.keys()])
    if (single === undefined) return
    if (others.length === 0) await this.#readGroup(reads, single, waitingFor, parts, round)
    else await Promise.all([single, ...others].map((group) => this.#readGroup(reads, group, waitingFor, parts, round)))
  }

  async #readGroup(
    reads: TableReads,
    group: KeyGroup,
    waitingFor: (key: PrimaryKey) => readonly Wanted[],
    parts: LookupParts,
    round: number,
  ): Promise<void> {
    const settle = (outcomes: readonly (LookupOutcome<Row> | null)[]): void => {
      for (const [at, key] of group.entries()) {
        const outcome = outcomes[at] ?? null
        if (outcome !== null) for (const one of waitingFor(key)) one.settle(outcome)
      }
    }
    const read = reads.request(group)
    let refusal: unknown
    try {
      this.counts.requests += 1
      this.counts.keys += group.length
      const first = await this.#session.execute(read, parts)
      this.probes.answered(read)
      const keys = group.length
      const response = isWhole(first, keys) ? first : await this.#readOn(reads, read, first, keys, parts)
      if (reads.encoder.fits(response)) {
        const outcomes = reads.outcomes(group, response)
        settle(outcomes)
        const untold = group.filter((_, at) => outcomes[at] === null)
        if (untold.length > 0)
          await Promise.all(untold.map((key) => this.#readGroup(reads, [key], waitingFor, parts, round)))
        return
      }
      refusal = notOfSchema()
    } catch (error) {
      const verdict = this.#failed(read, error)
      if (verdict !== 'stale' && (verdict !== 'final' || group.length === 1)) {
        const outcome = failedOutcome(error, displayTable(reads.schema))
        settle(group.map(() => outcome))
        return
      }
      if (verdict === 'final') {
        // One row that cannot be read does not fail its neighbours.
        await Promise.all(group.map((key) => this.#readGroup(reads, [key], waitingFor, parts, round)))
        return
      }
      refusal = error
    }
    await this.#readAnew(reads, group.flatMap(waitingFor), parts, round, refusal)
  }

  /** Reads on while there may be rows behind a page: a page may be short, or empty, for reasons of the server's own. */
  async #readOn(
    reads: TableReads,
    read: CqlRequest,
    first: CqlResponse,
    keys: number,
    parts: LookupParts,
  ): Promise<CqlResponse> {
    const rows = [...first.rows]
    let page = first
    for (let pages = 1; page.pageState !== null && rows.length < keys; pages += 1) {
      if (pages === mostPages) throw endlessPages(displayTable(reads.schema))
      page = await this.#session.execute({ ...read, pageState: page.pageState }, parts)
      if (!reads.encoder.fits(page)) return page
      rows.push(...page.rows)
    }
    return { ...first, rows }
  }

  #failed(read: CqlRequest, error: unknown): DriverVerdict {
    if (error === notSent) return 'transient'
    this.counts.failures += 1
    if (error instanceof errors.OperationTimedOutError) this.counts.timeouts += 1
    const verdict = judgeDriverError(error)
    this.probes.failed(read, verdict)
    return verdict
  }

  /**
   * The statement does not fit the table. Has the table changed, it is read by its new schema. Has it not, then either the
   * change is still on its way through the cluster, or this cluster takes no IN on this table, or it cannot be read.
   */
  async #readAnew(
    reads: TableReads,
    wanted: readonly Wanted[],
    parts: LookupParts,
    round: number,
    refusal: unknown,
  ): Promise<void> {
    const { schema } = reads
    const table = displayTable(schema)
    let current: TableReads | null
    // For the schema, which may wait for a slot of its own.
    parts.waits()
    try {
      current = await this.#catalog.reread(reads)
    } catch (error) {
      settleAll(wanted, failedOutcome(error, table))
      return
    } finally {
      parts.begins()
    }
    if (current === null) {
      settleAll(wanted, { kind: 'error', error: unknownTable(schema.keyspace, schema.table) })
    } else if (current !== reads && round < mostRounds) {
      await this.read(current, rekeyed(current, wanted), parts, round + 1)
    } else if (this.#catalog.isChanging) {
      settleAll(wanted, { kind: 'error', error: stillChanging(refusal, table) })
    } else if (reads.grouped) {
      this.#log.warn('Cassandra refuses to read this table by IN; its rows are read one by one', {
        table,
        reason: driverReason(refusal),
      })
      await this.read(this.#catalog.ungroup(reads), wanted, parts, round + 1)
    } else {
      settleAll(wanted, { kind: 'error', error: finalError(refusal, table) })
    }
  }
}

/** Whether so many keys are answered by the first page alone. */
function isWhole({ pageState, rows }: CqlResponse, keys: number): boolean {
  return pageState === null || rows.length >= keys
}

function stillChanging(refusal: unknown, table: string): TidemarkError {
  return new TidemarkError(
    'system-unreachable',
    `The schema of Cassandra is changing, and ${table} could not be read meanwhile: ${driverReason(refusal)}`,
    { retriable: true, cause: refusal, details: { system: 'cassandra', table } },
  )
}

function notOfSchema(): Error {
  return new Error("the columns of the answer are not those of the table's schema")
}

function endlessPages(table: string): TidemarkError {
  return new TidemarkError(
    'lookup-failed',
    `Reading rows of ${table} failed: Cassandra gave ${String(mostPages)} pages without an end`,
    { retriable: true, details: { system: 'cassandra', table } },
  )
}

function settleAll(wanted: readonly Wanted[], outcome: LookupOutcome<Row>): void {
  for (const one of wanted) one.settle(outcome)
}

/** Those whose key converts by the schema as it is now; the others are settled. */
function rekeyed({ schema }: TableReads, wanted: readonly Wanted[]): readonly Wanted[] {
  return wanted.flatMap((one) => {
    try {
      return [{ ...one, key: requestedKey(schema, one.request) }]
    } catch (error) {
      one.settle({ kind: 'error', error: finalError(error, displayTable(schema)) })
      return []
    }
  })
}
