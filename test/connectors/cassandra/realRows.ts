import { afterAll, beforeAll } from 'vitest'
import { CassandraRowLookup } from '../../../src/connectors/cassandra/lookup/cassandraRowLookup.ts'
import { cassandraConfig, type CassandraOptions } from '../../../src/connectors/cassandra/config/cassandraConfig.ts'
import { queryCassandra } from '../../../src/connectors/cassandra/lookup/queryCassandra.ts'
import { DriverSession } from '../../../src/connectors/cassandra/client/driverSession.ts'
import { encodeCanonical } from '../../../src/connectors/cassandra/protocol/valueBytes.ts'
import { formatCqlType, quoteIdentifier, type UdtType, type CqlType } from '../../../src/tables/cqlType.ts'
import { columnTexts } from '../../../src/tables/row.ts'
import { keyColumns, type TableSchema } from '../../../src/tables/tableSchema.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { hostPorts } from '../../../src/core/settingCodecs.ts'
import { TestLogger } from '../../../src/testing/kit/testLogger.ts'
import type { RealServers } from '../../support/realServers.ts'

/** A session and a lookup on a real Cassandra. */
export interface RealRows {
  readonly session: DriverSession
  readonly rows: CassandraRowLookup
  readonly log: TestLogger
  /** Runs a statement and gives its rows in the row encoding. */
  query(cql: string): Promise<readonly string[]>
}

/** Not connected yet. */
export function realRows(contactPoints: string, options: Partial<CassandraOptions> = {}): RealRows {
  const decoded = hostPorts().decode(contactPoints)
  if (decoded._tag === 'Left') throw new Error(`no addresses: ${contactPoints}`)
  const config = cassandraConfig({ contactPoints: decoded.right, localDatacenter: 'datacenter1', ...options })
  const log = new TestLogger()
  const session = new DriverSession(config, systemClock, log)
  return {
    session,
    rows: new CassandraRowLookup(session, config, systemClock, log),
    log,
    async query(cql) {
      const { rows } = await queryCassandra(session, cql)
      const texts: string[] = []
      for await (const { encoded } of rows) texts.push(encoded)
      return texts
    },
  }
}

/** The same on the shared Cassandra, connected before the tests of a suite, with a keyspace of its own that goes after them. */
export function realKeyspace(servers: RealServers, keyspace: string): RealRows {
  let real: RealRows | null = null
  const opened = (): RealRows => {
    if (real === null) throw new Error('Ask for it inside a test or a hook')
    return real
  }
  beforeAll(async () => {
    const { contactPoints, datacenter } = servers.cassandra()
    real = realRows(contactPoints, { localDatacenter: datacenter, requestTimeoutMs: 30_000 })
    await real.rows.connect()
    await real.query(keyspaceStatement(keyspace))
  })
  afterAll(async () => {
    await real?.query(`DROP KEYSPACE IF EXISTS ${quoteIdentifier(keyspace)}`)
    await real?.rows.close()
  })
  return {
    get session() {
      return opened().session
    },
    get rows() {
      return opened().rows
    },
    get log() {
      return opened().log
    },
    query: (cql) => opened().query(cql),
  }
}

export function keyspaceStatement(keyspace: string): string {
  return `CREATE KEYSPACE ${quoteIdentifier(keyspace)} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`
}

/** CREATE TYPE and CREATE TABLE for a schema. */
export function createStatements(schema: TableSchema): readonly string[] {
  const types = new Map<string, UdtType>()
  for (const type of schema.columns.values()) collectTypes(type, types)
  const keyspace = quoteIdentifier(schema.keyspace)
  const made = [...types.values()].map(({ name, fields }) => {
    const list = fields.map((field) => `${quoteIdentifier(field.name)} ${formatCqlType(field.type)}`)
    return `CREATE TYPE IF NOT EXISTS ${keyspace}.${quoteIdentifier(name)} (${list.join(', ')})`
  })
  const columns = [...schema.columns].map(([name, type]) => `${quoteIdentifier(name)} ${formatCqlType(type)}`)
  const partition = schema.partitionKey.map(quoteIdentifier).join(', ')
  const key = [`(${partition})`, ...schema.clusteringKey.map(quoteIdentifier)].join(', ')
  const table = `${keyspace}.${quoteIdentifier(schema.table)}`
  return [...made, `CREATE TABLE ${table} (${columns.join(', ')}, PRIMARY KEY (${key}))`]
}

/** Types after those they are made of. */
function collectTypes(type: CqlType, into: Map<string, UdtType>): void {
  if (type.kind === 'native') return
  if (type.kind === 'udt') {
    for (const field of type.fields) collectTypes(field.type, into)
    into.set(type.name, type)
    return
  }
  const inner = type.kind === 'tuple' ? type.elements : type.kind === 'map' ? [type.key, type.value] : [type.element]
  for (const one of inner) collectTypes(one, into)
}

/** Writes a row of the row encoding by bound bytes, nulls as tombstones. */
export async function writeRow(session: DriverSession, schema: TableSchema, encoded: string): Promise<void> {
  const texts = columnTexts({ schema, encoded })
  const columns = [...schema.columns]
  const values = columns.map(([name, type]) => {
    const text = texts.get(name) ?? 'null'
    return text === 'null' ? null : encodeCanonical(type, text)
  })
  const isCounter = columns.some(([, type]) => type.kind === 'native' && type.name === 'counter')
  const key = keyColumns(schema)
  const table = `${quoteIdentifier(schema.keyspace)}.${quoteIdentifier(schema.table)}`
  const names = columns.map(([name]) => quoteIdentifier(name))
  const cql = isCounter
    ? `UPDATE ${table} SET ${names
        .filter((_, at) => !key.includes(columns[at]?.[0] ?? ''))
        .map((name) => `${name} = ${name} + ?`)
        .join(', ')} WHERE ${key.map((name) => `${quoteIdentifier(name)} = ?`).join(' AND ')}`
    : `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`
  const isKey = (at: number): boolean => key.includes(columns[at]?.[0] ?? '')
  const bound = isCounter ? [...values.filter((_, at) => !isKey(at)), ...values.filter((_, at) => isKey(at))] : values
  await session.execute({ cql, values: bound as Buffer[], route: { keyspace: schema.keyspace, key: null } })
}
