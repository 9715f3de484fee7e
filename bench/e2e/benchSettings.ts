import { reconcileSettings } from '../../jobs/reconcile/settings.ts'
import { systems } from '../../src/composition.ts'
import {
  cassandraConfig,
  cassandraOptionsOf,
  type CassandraConfig,
} from '../../src/connectors/cassandra/config/cassandraConfig.ts'
import { cassandraSettings } from '../../src/connectors/cassandra/config/cassandraSettings.ts'
import { kafkaConfig, type KafkaConfig } from '../../src/connectors/kafka/config/kafkaConfig.ts'
import { kafkaSettings } from '../../src/connectors/kafka/config/kafkaSettings.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { settingsOfSystems } from '../../src/core/ports/system.ts'
import { resolveSettings } from '../../src/runtime/settings/resolve.ts'
import type { ResolvedSettings } from '../../src/runtime/settings/resolvedSettings.ts'

/** Settings by key, as flags of a command line. */
export type Flags = Readonly<Record<string, string>>

/** How a run of the reconcile job reaches the servers that the flags name. */
export interface BenchSettings {
  readonly settings: ResolvedSettings<typeof reconcileSettings>
  readonly kafka: KafkaConfig
  readonly cassandra: CassandraConfig
}

/** The reconcile job's settings as these flags, and nothing else, make them. */
export function benchSettings(flags: Flags): BenchSettings {
  const settings = resolveSettings({
    flags: new Map(Object.entries(flags)),
    environment: {},
    file: null,
    job: { path: 'jobs/reconcile.ts', name: 'reconcile', specs: reconcileSettings },
    world: settingsOfSystems(systems),
  })
  const ofKafka = settings.of(kafkaSettings)
  const servers = ofKafka['kafka.bootstrap.servers']
  if (servers === undefined) throw new Error('kafka.bootstrap.servers is missing')
  const times = {
    intervalMs: settings.get('checkpoint.interval.ms'),
    minPauseMs: settings.get('checkpoint.min.pause.ms'),
    timeoutMs: settings.get('checkpoint.timeout.ms'),
    longestWaitMs: 2 * settings.job['reconcile.lookup.timeout.ms'],
  }
  return {
    settings,
    kafka: kafkaConfig(servers, ofKafka, times, systemClock),
    cassandra: cassandraConfig(cassandraOptionsOf(settings.of(cassandraSettings))),
  }
}
