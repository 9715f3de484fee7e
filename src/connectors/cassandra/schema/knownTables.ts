import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../../core/ports/clock.ts'
import type { TableSchema } from '../../../tables/tableSchema.ts'
import type { CqlSession } from '../client/cqlSession.ts'
import { TableReads } from '../lookup/tableReads.ts'
import { readSchema } from './readSchema.ts'

interface Known {
  readonly reads: TableReads
  /** Of the schema version under which it was read. */
  readonly generation: number
}

/**
 * The tables that messages have named and the cluster has, each with its statement: at most so many, the least recently
 * used going first. Names that no table has leave nothing behind.
 */
export class KnownTables {
  readonly counts = { hits: 0, misses: 0, evictions: 0, rereads: 0 }
  readonly #session: Pick<CqlSession, 'execute'>
  readonly #version: SchemaVersion
  readonly #limit: number
  /** In the order of their last use. */
  readonly #known = new Map<string, Known>()
  /** The last of them: messages of one table come one after the other. */
  #last: Known | null = null
  readonly #reading = new Map<string, Promise<TableReads | null>>()
  readonly #rereading = new Map<string, Promise<TableReads | null>>()

  constructor(session: Pick<CqlSession, 'execute'>, version: SchemaVersion, limit: number) {
    this.#session = session
    this.#version = version
    this.#limit = limit
  }

  get size(): number {
    return this.#known.size
  }

  /** The schema as it was last read. */
  schema(keyspace: string, table: string): TableSchema | undefined {
    return this.#known.get(tableName(keyspace, table))?.reads.schema
  }

  /** Whether the schema of the cluster changed a moment ago. */
  get isChanging(): boolean {
    return this.#version.isChanging
  }

  /** A table that is known and up to date, without waiting. */
  current(keyspace: string, table: string): TableReads | undefined {
    if (!this.#version.trusted) return undefined
    const known = this.#isLast(keyspace, table) ? this.#last : this.#used(tableName(keyspace, table))
    if (known?.generation !== this.#version.generation) return undefined
    this.counts.hits += 1
    return known.reads
  }

  /** The table as the cluster has it; null: there is none. Rejects as the session and `readSchema` do. */
  async find(keyspace: string, table: string): Promise<TableReads | null> {
    if (!this.#version.trusted) await this.#version.confirm()
    const current = this.current(keyspace, table)
    if (current !== undefined) return current
    this.counts.misses += 1
    return once(this.#reading, tableName(keyspace, table), () => this.#read(keyspace, table))
  }

  /** After an answer that does not fit: the table read again, unless that has happened since. */
  async reread(stale: TableReads): Promise<TableReads | null> {
    const { keyspace, table } = stale.schema
    const name = tableName(keyspace, table)
    const known = this.#known.get(name)
    if (known !== undefined && known.reads !== stale) return known.reads
    this.counts.rereads += 1
    // Not shared with a read that began before the answer came: it may not see what has changed.
    return once(this.#rereading, name, async () => {
      await this.#version.confirm()
      return this.#read(keyspace, table)
    })
  }

  /** From now on this table is read without IN, until its schema changes. */
  ungroup(refused: TableReads): TableReads {
    const { schema } = refused
    const name = tableName(schema.keyspace, schema.table)
    const known = this.#known.get(name)
    if (known !== undefined && known.reads !== refused && !known.reads.grouped) return known.reads
    const reads = new TableReads(schema, false)
    this.#remember(name, { reads, generation: known?.generation ?? this.#version.generation })
    return reads
  }

  async #read(keyspace: string, table: string): Promise<TableReads | null> {
    const { generation } = this.#version
    const name = tableName(keyspace, table)
    const schema = await readSchema(this.#session, keyspace, table)
    if (schema === null) {
      if (this.#known.get(name) === this.#last) this.#last = null
      this.#known.delete(name)
      return null
    }
    const before = this.#known.get(name)?.reads
    // The same schema keeps its statement, and whatever is compiled for it.
    const reads = before !== undefined && isDeepStrictEqual(before.schema, schema) ? before : new TableReads(schema)
    this.#remember(name, { reads, generation })
    return reads
  }

  #isLast(keyspace: string, table: string): boolean {
    const schema = this.#last?.reads.schema
    return schema?.table === table && schema.keyspace === keyspace
  }

  #used(name: string): Known | undefined {
    const known = this.#known.get(name)
    if (known !== undefined) this.#putLast(name, known)
    return known
  }

  #putLast(name: string, known: Known): void {
    this.#known.delete(name)
    this.#known.set(name, known)
    this.#last = known
  }

  #remember(name: string, known: Known): void {
    this.#putLast(name, known)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#limit) return
      this.#known.delete(oldest)
      this.counts.evictions += 1
    }
  }
}

/** A name of a table holds no dot: other names are never kept. */
function tableName(keyspace: string, table: string): string {
  return `${keyspace}.${table}`
}

function once<T>(running: Map<string, Promise<T>>, name: string, start: () => Promise<T>): Promise<T> {
  const known = running.get(name)
  if (known !== undefined) return known
  const started = start().finally(() => running.delete(name))
  running.set(name, started)
  return started
}

const selectVersion = "SELECT schema_version FROM system.local WHERE key = 'local'"

/** Age from which on the version is asked for beside the lookups that go on. */
const askAfterMs = 1_000
/** Age from which on lookups wait for the answer. */
const distrustAfterMs = 5_000
/** How long a change may take until all nodes have it. */
const settlesWithinMs = 5_000

/**
 * Whether the schemas that were read are still those of the cluster. Its schema has a version, which is one small read:
 * while lookups go on it is asked for once a second beside them, and after a silence before the first of them. Events of
 * the driver's control connection are not relied on: it misses those that come while it is cut off.
 */
export class SchemaVersion {
  readonly #session: Pick<CqlSession, 'execute'>
  readonly #clock: Clock
  #version: string | null = null
  #confirmedMs = -Infinity
  #changedMs = -Infinity
  #asking: Promise<void> | null = null
  #generation = 0

  constructor(session: Pick<CqlSession, 'execute'>, clock: Clock) {
    this.#session = session
    this.#clock = clock
  }

  /** Another one after each change that was seen. */
  get generation(): number {
    return this.#generation
  }

  /** Whether a change was seen a moment ago: nodes may still differ. */
  get isChanging(): boolean {
    return this.#clock.monotonicMs() - this.#changedMs < settlesWithinMs
  }

  /** False: `confirm` first. */
  get trusted(): boolean {
    const ageMs = this.#clock.monotonicMs() - this.#confirmedMs
    if (ageMs > distrustAfterMs) return false
    // Whether that fails shows when the version is too old to be trusted.
    if (ageMs > askAfterMs) this.confirm().catch(() => undefined)
    return true
  }

  /** Rejects as the session does. */
  confirm(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  async #ask(): Promise<void> {
    const sentMs = this.#clock.monotonicMs()
    const { rows } = await this.#session.execute({ cql: selectVersion, values: [], systemTable: true })
    const version = rows[0]?.[0]?.toString('hex') ?? null
    if (version !== this.#version) {
      this.#generation += 1
      if (this.#version !== null) this.#changedMs = sentMs
    }
    this.#version = version
    this.#confirmedMs = sentMs
  }
}
