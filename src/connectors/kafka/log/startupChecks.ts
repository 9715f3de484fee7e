import { TidemarkError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import type { KafkajsBroker } from '../client/kafkajs.ts'
import { numberOf, readBrokerConfig } from '../client/readConfigs.ts'
import { requestGroups } from '../protocol/describeGroups.ts'
import { isKafka4 } from '../protocol/fetch.ts'

const fetchKey = 1
/** Fetch as it is sent here; Kafka 2.3 and later know it. */
const fetchVersion = 11
const maxTimeout = 'transaction.max.timeout.ms'

/**
 * Warns of brokers before 4.0: offsets that are read right after a fence may be stale there, and a transaction may hang.
 * Throws `system-unreachable` for one that is too old to be talked to.
 */
export function checkBrokerVersion(broker: KafkajsBroker, log: Logger): void {
  if ((broker.versions?.[fetchKey]?.maxVersion ?? 0) < fetchVersion) {
    throw new TidemarkError(
      'system-unreachable',
      'This Kafka broker is older than 2.3, which is not supported: use Kafka 4.0 or later',
      { retriable: false, details: { system: 'kafka' } },
    )
  }
  if (isKafka4(broker)) return
  log.warn(
    'The Kafka brokers are older than 4.0: exactly-once is at risk there, because offsets read right after a fence may be stale, and a transaction may hang until it is aborted by hand. Upgrade them',
    { system: 'kafka' },
  )
}

/** Throws `invalid-plan` for a consumer group of another kind: its brokers would deal the partitions out themselves. */
export async function checkGroupIsClassic(cluster: KafkaCluster, groupId: string): Promise<void> {
  const groups = await cluster.atCoordinator('group', groupId, 'Looking the consumer group up', (coordinator) =>
    requestGroups(coordinator),
  )
  const found = groups.find((group) => group.groupId === groupId)
  if (found === undefined || found.type.toLowerCase() === 'classic') return
  throw new TidemarkError(
    'invalid-plan',
    `${groupId} is a ${found.type.toLowerCase()} group, and a job needs a classic consumer group: choose another groupId, or delete that group`,
    { details: { groupId, type: found.type } },
  )
}

/** Throws `invalid-setting` when the brokers would refuse the transaction timeout. Skipped where their settings are hidden. */
export async function checkTransactionTimeout(cluster: KafkaCluster, transactionTimeoutMs: number): Promise<void> {
  const limit = numberOf(await readBrokerConfig(cluster, [maxTimeout]), maxTimeout)
  if (limit === null || transactionTimeoutMs <= limit) return
  throw new TidemarkError(
    'invalid-setting',
    `The transaction timeout of ${String(transactionTimeoutMs)} ms, which follows from the checkpoint settings, is above ${maxTimeout} of the brokers, ${String(limit)}: shorten checkpoint.interval.ms, checkpoint.min.pause.ms or checkpoint.timeout.ms, or raise it on the brokers`,
    { details: { transactionTimeoutMs, limit } },
  )
}
