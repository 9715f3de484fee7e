import { freePorts } from '../../servers/freePorts.ts'
import { startCassandra, type RunningCassandra } from '../../servers/cassandraServer.ts'
import { runCql } from '../../servers/cqlWire.ts'
import { startKafka, type RunningKafka } from '../../servers/kafkaServer.ts'
import { CassandraFaultProxy, KafkaFaultProxy } from './framedProxy.ts'

/** Rows 0 to 499, each `item <id>`. */
export const tableRows = 500

/** Of a suite's own; both null where it needs none. */
export interface FaultCassandra {
  readonly cassandra: RunningCassandra | null
  readonly cassandraProxy: CassandraFaultProxy | null
}

/** A broker and, where asked for, a Cassandra node of a suite's own, each behind a proxy that can lose and delay. */
export interface FaultServers extends FaultCassandra {
  readonly kafka: RunningKafka
  readonly kafkaProxy: KafkaFaultProxy
  readonly bootstrap: string
  close(): Promise<void>
}

/** Starts them; Cassandra comes with the table ks.items of 500 rows. */
export async function startFaultServers(needs: { readonly cassandra: boolean }): Promise<FaultServers> {
  const [port = 0] = await freePorts(1)
  const kafkaProxy = await KafkaFaultProxy.start(port)
  const [kafka, { cassandra, cassandraProxy }] = await Promise.all([
    startKafka({
      port,
      properties: {
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${String(kafkaProxy.port)}`,
        // How often it looks for transactions beyond their timeout: 10 s by default.
        'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
      },
    }),
    needs.cassandra ? startFaultCassandra() : noCassandra,
  ])
  return {
    kafka,
    kafkaProxy,
    bootstrap: `127.0.0.1:${String(kafkaProxy.port)}`,
    cassandra,
    cassandraProxy,
    async close() {
      await Promise.all([kafka.kill9(), cassandra?.kill9()])
      await Promise.all([kafkaProxy.close(), cassandraProxy?.close()])
    },
  }
}

export const noCassandra: FaultCassandra = { cassandra: null, cassandraProxy: null }

/** A node with the table ks.items of 500 rows, and the proxy before it. */
export async function startFaultCassandra(): Promise<FaultCassandra> {
  const cassandra = await startCassandra()
  await runCql(cassandra.target, [
    `CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    'CREATE TABLE ks.items (id int PRIMARY KEY, name text)',
    ...Array.from(
      { length: tableRows },
      (_, id) => `INSERT INTO ks.items (id, name) VALUES (${String(id)}, 'item ${String(id)}')`,
    ),
  ])
  return { cassandra, cassandraProxy: await CassandraFaultProxy.start(Number(cassandra.address.split(':').at(-1))) }
}
