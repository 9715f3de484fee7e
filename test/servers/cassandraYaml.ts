import { join } from 'node:path'
import type { Certificates } from './certificates.ts'

export interface CassandraPlan {
  readonly directory: string
  readonly port: number
  /** Where nodes would talk to each other. */
  readonly storagePort: number
  readonly auth: boolean
  readonly certificates: Certificates | undefined
}

/** The cassandra.yaml of a single node on loopback. A JSON text is YAML as well. */
export function cassandraYaml({ directory, port, storagePort, auth, certificates }: CassandraPlan): string {
  const data = (name: string): string => join(directory, 'data', name)
  const encryption =
    certificates === undefined
      ? { enabled: false }
      : {
          enabled: true,
          optional: false,
          keystore: certificates.keystoreFile,
          keystore_password: certificates.keystorePassword,
          store_type: 'PKCS12',
          require_client_auth: false,
        }
  const settings = {
    cluster_name: 'tidemark',
    num_tokens: 1,
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    endpoint_snitch: 'SimpleSnitch',
    seed_provider: [
      {
        class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
        parameters: [{ seeds: `127.0.0.1:${String(storagePort)}` }],
      },
    ],
    listen_address: '127.0.0.1',
    storage_port: storagePort,
    rpc_address: '127.0.0.1',
    native_transport_port: port,
    data_file_directories: [data('rows')],
    commitlog_directory: data('commitlog'),
    saved_caches_directory: data('caches'),
    hints_directory: data('hints'),
    cdc_raw_directory: data('cdc'),
    // A write is answered when it is on disk: the default loses the last moments at a kill -9, and tests kill.
    commitlog_sync: 'batch',
    commitlog_segment_size: '16MiB',
    commitlog_total_space: '128MiB',
    memtable_heap_space: '64MiB',
    memtable_offheap_space: '64MiB',
    file_cache_size: '32MiB',
    concurrent_reads: 16,
    concurrent_writes: 16,
    hinted_handoff_enabled: false,
    auto_snapshot: false,
    authenticator: auth ? 'PasswordAuthenticator' : 'AllowAllAuthenticator',
    authorizer: auth ? 'CassandraAuthorizer' : 'AllowAllAuthorizer',
    role_manager: 'CassandraRoleManager',
    client_encryption_options: encryption,
  }
  return `${JSON.stringify(settings, undefined, 2)}\n`
}

export const cassandraLogging = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
  <logger name="org.apache.cassandra.service.CassandraDaemon" level="INFO"/>
  <logger name="org.apache.cassandra.transport" level="INFO"/>
</configuration>
`

/** What Java 17 keeps closed and Cassandra reaches into, as its own distribution opens it. */
const moduleOptions = [
  ...[
    'java.base/jdk.internal.misc',
    'java.base/java.lang.ref',
    'java.management.rmi/com.sun.jmx.remote.internal.rmi',
    'java.rmi/sun.rmi.registry',
    'java.rmi/sun.rmi.server',
    'java.sql/java.sql',
    'jdk.unsupported/sun.misc',
    'jdk.attach/sun.tools.attach',
  ].map((name) => `--add-exports=${name}=ALL-UNNAMED`),
  ...[
    'java.base/java.io',
    'java.base/java.lang',
    'java.base/java.lang.module',
    'java.base/java.lang.reflect',
    'java.base/java.util',
    'java.base/jdk.internal.loader',
    'java.base/jdk.internal.math',
    'java.base/jdk.internal.module',
    'java.base/jdk.internal.ref',
    'java.base/jdk.internal.reflect',
    'java.base/jdk.internal.util.jar',
    'java.base/sun.nio.ch',
    'jdk.management/com.sun.management.internal',
  ].map((name) => `--add-opens=${name}=ALL-UNNAMED`),
]

/** The options of the Java machine for a node whose files lie in this directory. */
export function cassandraJavaOptions(directory: string): readonly string[] {
  const system = {
    'cassandra.config': `file://${join(directory, 'cassandra.yaml')}`,
    'cassandra.storagedir': join(directory, 'data'),
    'cassandra-foreground': 'yes',
    'logback.configurationFile': `file://${join(directory, 'logback.xml')}`,
    'java.io.tmpdir': directory,
    // One node has nobody to wait for.
    'cassandra.superuser_setup_delay_ms': '0',
    'cassandra.skip_wait_for_gossip_to_settle': '0',
    'cassandra.ring_delay_ms': '1',
    'cassandra.consistent.rangemovement': 'false',
    'io.netty.tryReflectionSetAccessible': 'true',
    'jdk.attach.allowAttachSelf': 'true',
  }
  return [
    '-Xms512m',
    '-Xmx1g',
    '-XX:+UseG1GC',
    '-XX:MaxGCPauseMillis=100',
    '-XX:-UsePerfData',
    '-XX:+ExitOnOutOfMemoryError',
    ...moduleOptions,
    ...Object.entries(system).map(([key, value]) => `-D${key}=${value}`),
  ]
}
