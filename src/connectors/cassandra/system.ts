import { fine, type Finding } from '../../core/finding.ts'
import { silentLogger } from '../../core/ports/logger.ts'
import { defineSystem, provided, type SystemEnvironment } from '../../core/ports/system.ts'
import { queryPort, tablesPort } from '../../core/ports/tables.ts'
import { formatHostPort } from '../../core/settingCodecs.ts'
import { rowLookupPort } from '../../tables/rowLookup.ts'
import { readCassandraFacts } from './client/cassandraFacts.ts'
import { DriverSession } from './client/driverSession.ts'
import { cassandraConfig, cassandraOptionsOf, type CassandraConfig } from './config/cassandraConfig.ts'
import { cassandraSettings } from './config/cassandraSettings.ts'
import { judgeCassandra } from './doctor/judgeCassandra.ts'
import { queryCassandra } from './lookup/queryCassandra.ts'
import { CassandraRowLookup } from './lookup/cassandraRowLookup.ts'
import { CassandraTables } from './schema/cassandraTables.ts'

/** A table is made by several statements, and nodes agree on it before they answer. */
const schemaTimeoutMs = 20_000

/** How a cluster is reached, and what by. */
interface OpenedCassandra extends Pick<SystemEnvironment, 'clock' | 'log'> {
  readonly config: CassandraConfig
}

/** Cassandra: tables with rows. */
export const cassandraSystem = defineSystem({
  name: 'cassandra',
  title: 'Cassandra',
  settings: cassandraSettings,
  keys: ['cassandra.contact.points', 'cassandra.local.datacenter'],
  address: (settings) =>
    `${(settings['cassandra.contact.points'] ?? []).map(formatHostPort).join(',')}, ${settings['cassandra.local.datacenter'] ?? ''}`,
  open: (settings, { clock, log }): OpenedCassandra => ({
    config: cassandraConfig(cassandraOptionsOf(settings)),
    clock,
    log,
  }),
  provides: [
    provided(
      rowLookupPort,
      ({ config, clock, log }: OpenedCassandra) =>
        new CassandraRowLookup(new DriverSession(config, clock, log), config, clock, log),
    ),
    provided(tablesPort, ({ config, clock }: OpenedCassandra) => {
      const requestTimeoutMs = Math.max(config.requestTimeoutMs, schemaTimeoutMs)
      const session = new DriverSession({ ...config, requestTimeoutMs }, clock, silentLogger)
      return new CassandraTables(session, config.localDatacenter)
    }),
    provided(queryPort, ({ config, clock }: OpenedCassandra) => {
      const session = new DriverSession(config, clock, silentLogger)
      return {
        connect: () => session.connect(),
        close: () => session.close(),
        query: (statement) => queryCassandra(session, statement),
      }
    }),
  ],
  check: examineCassandra,
})

async function examineCassandra({ config, clock }: OpenedCassandra): Promise<readonly Finding[]> {
  const session = new DriverSession(config, clock, silentLogger)
  try {
    await session.connect()
    const facts = await readCassandraFacts(session, clock)
    const address = config.contactPoints.map(formatHostPort).join(',')
    return [fine(`Cassandra answers at ${address}`), ...judgeCassandra(facts, config)]
  } finally {
    await session.close()
  }
}
