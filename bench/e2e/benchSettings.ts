import { reconcileSettings } from '../../jobs/reconcile/settings.ts'
import { cassandraConfigOf, kafkaConfigOf, worldSettings } from '../../src/composition.ts'
import type { CassandraConfig } from '../../src/connectors/cassandra/config/cassandraConfig.ts'
import type { KafkaConfig } from '../../src/connectors/kafka/config/kafkaConfig.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { chooseWorld } from '../../src/runtime/settings/chooseWorld.ts'
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
    world: worldSettings,
  })
  const world = chooseWorld(settings, { log: true, rows: true })
  if (world.kind !== 'real' || world.brokers === null || world.cassandra === null) {
    throw new Error('kafka.bootstrap.servers and the place of Cassandra are missing')
  }
  const lookupDeadlineMs = 2 * settings.job['reconcile.lookup.timeout.ms']
  return {
    settings,
    kafka: kafkaConfigOf(settings, world.brokers, lookupDeadlineMs, systemClock),
    cassandra: cassandraConfigOf(settings, world.cassandra),
  }
}
