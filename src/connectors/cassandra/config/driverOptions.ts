import { readFile } from 'node:fs/promises'
import { ExecutionProfile, policies, types, type DseClientOptions } from 'cassandra-driver'
import { certificateFault, identityFault, type PemFault } from '../../../codecs/pem.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { didYouMean } from '../../../core/nearest.ts'
import { formatHostPort } from '../../../core/settingCodecs.ts'
import { unreadableFile } from '../../../core/settingFile.ts'
import { settingOfOption, type CassandraConfig } from './cassandraConfig.ts'
import type { ConsistencyName } from './cassandraSettings.ts'
import { parseDriverSettings, type DriverProfile, type DriverSettings } from './driverSettings.ts'
import type { OpenConnections } from '../protocol/openConnections.ts'
import { rawEncoding } from '../protocol/rawCells.ts'
import { LookupRetryPolicy } from '../client/driverError.ts'

const consistencies: Readonly<Record<ConsistencyName, types.consistencies>> = {
  ONE: types.consistencies.one,
  TWO: types.consistencies.two,
  THREE: types.consistencies.three,
  QUORUM: types.consistencies.quorum,
  ALL: types.consistencies.all,
  LOCAL_ONE: types.consistencies.localOne,
  LOCAL_QUORUM: types.consistencies.localQuorum,
}

const defaultProfile = 'default'

/** Room beside the statements of tables: the driver evicts by age and warns each time. */
const spareStatements = 50

/**
 * What the driver is given for a configuration; reads the files that it names. Routing is token-aware and stays in the
 * datacenter. Throws `invalid-setting` and `unknown-setting`.
 */
export async function driverOptions(config: CassandraConfig, connections: OpenConnections): Promise<DseClientOptions> {
  const { options, profiles } = await driverSettings(config)
  const { username, password } = config
  return {
    applicationName: 'tidemark',
    ...options,
    contactPoints: config.contactPoints.map(formatHostPort),
    ...(username === undefined || password === undefined ? {} : { credentials: { username, password } }),
    ...(config.tls ? { sslOptions: await tlsOptions(config) } : {}),
    encoding: rawEncoding(connections),
    maxPrepared: config.maxTables + spareStatements,
    policies: {
      // Token-aware: the first node asked is a replica of the row. The datacenter is named here only: where the driver's
      // option localDataCenter is wrong, its connections stay open.
      loadBalancing: new policies.loadBalancing.DefaultLoadBalancingPolicy({ localDc: config.localDatacenter }),
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(
        config.reconnectDelayMs,
        config.reconnectMaxDelayMs,
        false,
      ),
      retry: new LookupRetryPolicy(),
    },
    profiles: executionProfiles(config, profiles),
    queryOptions: { isIdempotent: true },
    socketOptions: {
      ...options.socketOptions,
      connectTimeout: config.connectTimeoutMs,
      readTimeout: config.requestTimeoutMs,
    },
    monitorReporting: { enabled: false },
  }
}

async function driverSettings(config: CassandraConfig): Promise<DriverSettings> {
  const text = await contents('driverSettingsFile', config)
  return text === undefined ? { options: {}, profiles: [] } : parseDriverSettings(config.driverSettingsFile ?? '', text)
}

async function tlsOptions(config: CassandraConfig): Promise<NonNullable<DseClientOptions['sslOptions']>> {
  const { tlsKeyPassword, tlsVerifyHostname } = config
  const [ca, cert, key] = await Promise.all([
    contents('tlsCa', config),
    contents('tlsCert', config),
    contents('tlsKey', config),
  ])
  if (ca !== undefined) refuse(certificateFault(ca), 'tlsCa', config)
  if (cert !== undefined && key !== undefined) refuse(identityFault(cert, key, tlsKeyPassword), 'tlsCert', config)
  return {
    // The driver's own default trusts any certificate.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tlsKeyPassword === undefined ? {} : { passphrase: tlsKeyPassword }),
    ...(tlsVerifyHostname ? {} : { checkServerIdentity: () => undefined }),
  }
}

/** TLS would pass over a certificate that it cannot read, and fail at the first connection for want of it. */
function refuse(fault: PemFault | null, certificate: 'tlsCa' | 'tlsCert', config: CassandraConfig): void {
  if (fault === null) return
  const { part, problem } = fault
  const file = part === 'certificate' ? certificate : 'tlsKey'
  const setting = settingOfOption[part === 'password' ? 'tlsKeyPassword' : file]
  const remedy = part === 'password' ? `check ${setting}` : 'it takes a file in PEM, whole'
  // It was read, so it is the path of a file and nothing else.
  const said = `${settingOfOption[file]}: ${config[file] ?? ''} ${problem}: ${remedy}`
  throw new TidemarkError('invalid-setting', said, { details: { setting } })
}

async function contents(
  option: 'driverSettingsFile' | 'tlsCa' | 'tlsCert' | 'tlsKey',
  { [option]: path }: CassandraConfig,
): Promise<string | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const example = option === 'driverSettingsFile' ? '/etc/tidemark/cassandra-driver.json' : '/etc/tidemark/ca.pem'
    throw unreadableFile(settingOfOption[option], path, { error, example })
  }
}

function executionProfiles(config: CassandraConfig, profiles: readonly DriverProfile[]): ExecutionProfile[] {
  const all = profiles.some(({ name }) => name === defaultProfile) ? profiles : [{ name: defaultProfile }, ...profiles]
  const names = all.map(({ name }) => name)
  const { executionProfile } = config
  if (!names.includes(executionProfile)) {
    const hint = didYouMean(executionProfile, names, `There are ${names.join(', ')}.`)
    throw new TidemarkError(
      'invalid-setting',
      `cassandra.execution.profile is none of the profiles that there are. ${hint}`,
      { details: { setting: 'cassandra.execution.profile' } },
    )
  }
  return all.map(
    ({ name, consistency = config.consistency, readTimeoutMs = config.requestTimeoutMs }) =>
      new ExecutionProfile(name, { consistency: consistencies[consistency], readTimeout: readTimeoutMs }),
  )
}
