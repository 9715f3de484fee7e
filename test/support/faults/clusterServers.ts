import { startCassandra } from '../../../src/services/cassandraServer.ts'
import { startKafka, type RunningKafka } from '../../../src/services/kafkaServer.ts'
import { fillTable, type FaultServers } from './faultServers.ts'
import { CassandraFaultProxy } from './framedProxy.ts'

/** Three brokers, replication 3, two of three in sync to write; and, where asked for, a Cassandra node with its table. */
export interface ClusterServers extends Pick<FaultServers, 'bootstrap' | 'cassandra' | 'cassandraProxy'> {
  readonly kafka: RunningKafka
  close(): Promise<void>
}

/** Clients talk to the brokers themselves: what fails here are the brokers, not what is between. */
export async function startClusterServers(needs: { readonly cassandra: boolean }): Promise<ClusterServers> {
  const [kafka, cassandra] = await Promise.all([startKafka({ brokers: 3 }), needs.cassandra ? startCassandra() : null])
  if (cassandra !== null) await fillTable(cassandra)
  const cassandraProxy =
    cassandra === null ? null : await CassandraFaultProxy.start(Number(cassandra.address.split(':').at(-1)))
  return {
    kafka,
    bootstrap: kafka.address,
    cassandra,
    cassandraProxy,
    async close() {
      await Promise.all([kafka.kill9(), cassandra?.kill9()])
      await cassandraProxy?.close()
    },
  }
}
