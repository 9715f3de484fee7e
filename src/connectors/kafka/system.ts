import { jobLogPort } from '../../core/ports/jobLogs.ts'
import { silentLogger } from '../../core/ports/logger.ts'
import { defineSystem, provided, type SystemEnvironment } from '../../core/ports/system.ts'
import { topicsPort } from '../../core/ports/topics.ts'
import { formatHostPort } from '../../core/settingCodecs.ts'
import { kafkaConfig, type KafkaConfig } from './config/kafkaConfig.ts'
import { kafkaSettings, type KafkaSettings } from './config/kafkaSettings.ts'
import { examineKafka } from './doctor/examineKafka.ts'
import { KafkaJobLogs } from './log/kafkaJobLogs.ts'
import { KafkaTopics } from './topics/kafkaTopics.ts'

/** How a cluster is reached, and what by. */
interface OpenedKafka extends SystemEnvironment {
  readonly config: KafkaConfig
}

/** Kafka: the log that processes share. */
export const kafkaSystem = defineSystem({
  name: 'kafka',
  title: 'Kafka',
  settings: kafkaSettings,
  keys: ['kafka.bootstrap.servers'],
  address: (settings) => serversOf(settings).map(formatHostPort).join(','),
  open: (settings, environment): OpenedKafka => ({
    ...environment,
    config: kafkaConfig(serversOf(settings), settings, environment.epochTimes(), environment.clock),
  }),
  provides: [
    provided(jobLogPort, (opened: OpenedKafka) => new KafkaJobLogs(opened)),
    // A command says itself what it could not do.
    provided(topicsPort, ({ config, clock }: OpenedKafka) => new KafkaTopics(config, { clock, log: silentLogger })),
  ],
  check: examineKafka,
})

function serversOf(settings: KafkaSettings): KafkaConfig['bootstrapServers'] {
  return settings['kafka.bootstrap.servers'] ?? []
}
