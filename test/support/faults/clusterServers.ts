import { startKafka, type RunningKafka } from '../../servers/kafkaServer.ts'
import { noCassandra, startFaultCassandra, type FaultCassandra } from './faultServers.ts'

/** Three brokers, replication 3, two of three in sync to write; and, where asked for, a Cassandra node with its table. */
export interface ClusterServers extends FaultCassandra {
  readonly kafka: RunningKafka
  readonly bootstrap: string
  close(): Promise<void>
}

/** Clients talk to the brokers themselves: what fails here are the brokers, not what is between. */
export async function startClusterServers(needs: { readonly cassandra: boolean }): Promise<ClusterServers> {
  const [kafka, { cassandra, cassandraProxy }] = await Promise.all([
    startKafka({ brokers: 3 }),
    needs.cassandra ? startFaultCassandra() : noCassandra,
  ])
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
