import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cassandraJavaOptions, cassandraLogging, cassandraYaml } from './cassandraYaml.ts'
import { makeCertificates } from './certificates.ts'
import { runCql, type CqlTarget } from './cqlWire.ts'
import { freePorts } from './freePorts.ts'
import { jarClassPath, type JarOptions } from './jars.ts'
import { findJava } from './java.ts'
import { startLocalServer, type RunningServer } from './localServer.ts'
import { serverDirectory } from './serverDirectory.ts'

export interface CassandraOptions extends JarOptions {
  /** Default: a free one. */
  readonly port?: number
  /** Kept when the node stops, and used again by a later start. Default: a temporary one that goes with this process. */
  readonly dataDir?: string
  /** Password authentication and authorisation. The first user is `cassandra`, password `cassandra`, a superuser. */
  readonly auth?: boolean
  /** Clients must speak TLS; the authority that signed the certificate is the node's own. */
  readonly tls?: boolean
  /** `process` (default): ends with this process in every case. `daemon`: outlives it. */
  readonly lifetime?: 'process' | 'daemon'
}

export interface RunningCassandra extends RunningServer {
  readonly datacenter: string
  /** The PEM file of the authority that a client must trust, where TLS is on. */
  readonly caFile: string | undefined
  /** What `runCql` needs to run statements on it. */
  readonly target: CqlTarget
}

/** The only one of a node with SimpleSnitch. */
export const cassandraDatacenter = 'datacenter1'

/**
 * Starts one Cassandra node on loopback from its jars and resolves when it has answered a query. Needs Java 17, and for
 * the first time Maven. Memory: 1 GB of heap.
 */
export async function startCassandra(options: CassandraOptions = {}): Promise<RunningCassandra> {
  const { auth = false, tls = false, lifetime = 'process' } = options
  const java = findJava(options.environment)
  const classPath = await jarClassPath('cassandra', options)
  const directory = serverDirectory('cassandra', options.dataDir, lifetime)
  const [freePort = 0, storagePort = 0] = await freePorts(2)
  const port = options.port ?? freePort
  const certificates = tls ? makeCertificates(join(directory, 'tls')) : undefined
  for (const name of ['rows', 'commitlog', 'caches', 'hints', 'cdc']) {
    mkdirSync(join(directory, 'data', name), { recursive: true })
  }
  const yaml = cassandraYaml({ directory, port, storagePort, auth, certificates })
  writeFileSync(join(directory, 'cassandra.yaml'), yaml, { mode: 0o600 })
  writeFileSync(join(directory, 'logback.xml'), cassandraLogging)
  const address = `127.0.0.1:${String(port)}`
  const target: CqlTarget = {
    address,
    ...(auth ? { user: { name: 'cassandra', password: 'cassandra' } } : {}),
    ...(certificates === undefined ? {} : { caPem: readFileSync(certificates.caFile, 'utf8') }),
  }
  const server = await startLocalServer({
    name: 'Cassandra',
    address,
    directory,
    command: java,
    args: [...cassandraJavaOptions(directory), '-cp', classPath, 'org.apache.cassandra.service.CassandraDaemon'],
    lifetime,
    ready: () => runCql(target, ['SELECT release_version FROM system.local']),
  })
  return Object.assign(server, { datacenter: cassandraDatacenter, caFile: certificates?.caFile, target })
}
