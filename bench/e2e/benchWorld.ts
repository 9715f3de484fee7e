import { KafkaTopics } from '../../src/connectors/kafka/topics/kafkaTopics.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { startCassandra } from '../../test/servers/cassandraServer.ts'
import { runCql } from '../../test/servers/cqlWire.ts'
import { startKafka } from '../../test/servers/kafkaServer.ts'
import { benchSettings, type Flags } from './benchSettings.ts'
import { message, tableStatements } from './reconcileLoad.ts'
import type { BenchWorld } from './throughput.ts'

const partitions = 4
const appended = 10_000

/** Starts a Kafka and a Cassandra, loads the table and so many messages, and stops both behind `use`. */
export async function withBenchWorld(
  { records, more }: { readonly records: number; readonly more: Flags },
  use: (world: BenchWorld) => Promise<void>,
): Promise<void> {
  const [kafka, cassandra] = await Promise.all([startKafka(), startCassandra()])
  try {
    const flags: Flags = {
      'kafka.bootstrap.servers': kafka.address,
      'cassandra.contact.points': cassandra.address,
      'cassandra.local.datacenter': cassandra.datacenter,
      // Cold servers that share their cores with the job may be slow; with the defaults a run could be one of dead letters.
      'reconcile.lookup.timeout.ms': '30000',
      'cassandra.request.timeout.ms': '15000',
      ...more,
    }
    const topics = new KafkaTopics(benchSettings(flags).kafka, { clock: systemClock, log: silentLogger })
    try {
      await runCql(cassandra.target, tableStatements())
      await topics.createTopic('bench-input', { partitions })
      for (let from = 0; from < records; from += appended) {
        const count = Math.min(appended, records - from)
        await topics.append(
          Array.from({ length: count }, (_, at) => message('bench-input', from + at, systemClock.now())),
        )
      }
      await use({ flags, topics, partitions, kafkaPid: kafka.pid ?? 0, cassandraPid: cassandra.pid ?? 0 })
    } finally {
      await topics.close()
    }
  } finally {
    await Promise.all([kafka.kill9(), cassandra.kill9()])
  }
}
