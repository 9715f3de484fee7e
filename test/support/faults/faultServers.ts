import { freePorts } from '../../../src/services/freePorts.ts'
import { startCassandra, type RunningCassandra } from '../../../src/services/cassandraServer.ts'
import { runCql } from '../../../src/services/cqlWire.ts'
import { startKafka, type RunningKafka } from '../../../src/services/kafkaServer.ts'
import { CassandraFaultProxy, KafkaFaultProxy } from './framedProxy.ts'

const tableRows = 500

/** A broker and, where asked for, a Cassandra node of a suite's own, each behind a proxy that can lose and delay. */
export interface FaultServers {
  readonly kafka: RunningKafka
  readonly kafkaProxy: KafkaFaultProxy
  readonly bootstrap: string
  readonly cassandra: RunningCassandra | null
  readonly cassandraProxy: CassandraFaultProxy | null
  close(): Promise<void>
}

/** Starts them; Cassandra comes with the table ks.items of 500 rows. */
export async function startFaultServers(needs: { readonly cassandra: boolean }): Promise<FaultServers> {
  const [port = 0] = await freePorts(1)
  const kafkaProxy = await KafkaFaultProxy.start(port)
  const [kafka, cassandra] = await Promise.all([
    startKafka({
      port,
      properties: {
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${String(kafkaProxy.port)}`,
        // How often it looks for transactions beyond their timeout: 10 s by default.
        'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
      },
    }),
    needs.cassandra ? startCassandra() : null,
  ])
  if (cassandra !== null) await fillTable(cassandra)
  const cassandraProxy =
    cassandra === null ? null : await CassandraFaultProxy.start(Number(cassandra.address.split(':').at(-1)))
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

/** Makes the table ks.items. */
export async function fillTable({ target }: RunningCassandra): Promise<void> {
  await runCql(target, [
    `CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    'CREATE TABLE ks.items (id int PRIMARY KEY, name text)',
    ...Array.from(
      { length: tableRows },
      (_, id) => `INSERT INTO ks.items (id, name) VALUES (${String(id)}, 'item ${String(id)}')`,
    ),
  ])
}
