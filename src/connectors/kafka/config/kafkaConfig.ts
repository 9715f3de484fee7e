import type { Clock } from '../../../core/ports/clock.ts'
import type { EpochTimes } from '../../../core/ports/system.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { ReadAhead } from '../../../core/pagedReader.ts'
import type { Random } from '../../../core/ports/random.ts'
import type { HostPort } from '../../../core/settingCodecs.ts'
import type { KafkaConnection } from '../client/brokerPool.ts'
import { invalidSetting, type KafkaSettings } from './kafkaSettings.ts'
import type { CompressionType } from '../protocol/compression.ts'
import { saslConfig } from './saslConfig.ts'
import { tlsConfig } from './tlsConfig.ts'

/** Everything a job's log needs to know of Kafka, decoded. */
export interface KafkaConfig extends KafkaConnection {
  /** What the `group.instance.id` of each process begins with; null: each makes one of its own. */
  readonly instanceId: string | null
  /** Without a heartbeat for so long a process is dead and its tasks go to others. */
  readonly sessionTimeoutMs: number
  /** For so long a rebalance waits for processes that are alive; half of it is the tasks' to finish their epochs. */
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
  /** See `transactionTimeoutMs`. */
  readonly transactionTimeoutMs: number
  readonly compression: CompressionType
  /** How often new topics and partitions are looked for. */
  readonly discoveryIntervalMs: number
  /** What a task reads ahead. */
  readonly readAhead: ReadAhead
  /** What all tasks of the process read ahead. */
  readonly processReadAheadBytes: number
  /** A record that takes more, unpacked, is not read. */
  readonly maxRecordBytes: number
}

/** What the connector has from the process it runs in. */
export interface KafkaEnvironment {
  readonly clock: Clock
  readonly log: Logger
  /** Default: the machine's. */
  readonly random?: Random
  /**
   * The `group.instance.id` of this process in its job's group, asked once when the cluster is known; null: it has none, and
   * joins as a dynamic member.
   */
  instanceId?(clusterId: string | null): Promise<string | null>
  /** Host and process id, for whoever meets this process in its group. */
  readonly process?: string
  /** Where this process answers questions about itself; its group knows it. */
  readonly controlAddress?: string | null
  /** How far the local state of each task is, by changelog offset; tasks go where their state is. */
  localStores?(): ReadonlyMap<number, number>
}

/** For clocks, retries and a commit that is slow. */
const transactionMarginMs = 15_000
/** A record of a changelog may take so much, and has to be read. */
const leastRecordBytes = 16 * 1024 * 1024
const heartbeatsPerSession = 10
const maxHeartbeatMs = 3000

/**
 * How long the brokers leave a transaction open: longer than an epoch can take, so that one is never aborted under a task
 * that is still at it. A dead process's transaction ends with its task's next fence, not with this.
 */
export function transactionTimeoutMs(times: EpochTimes): number {
  return longestEpochMs(times) + transactionMarginMs
}

function longestEpochMs({ intervalMs, minPauseMs, timeoutMs, longestWaitMs }: EpochTimes): number {
  return intervalMs + minPauseMs + longestWaitMs + timeoutMs
}

/**
 * The connector's configuration from its settings. Reads certificate files. Throws `invalid-setting` for settings that
 * contradict each other, without ever quoting a secret.
 */
export function kafkaConfig(
  bootstrapServers: readonly HostPort[],
  values: KafkaSettings,
  times: EpochTimes,
  clock: Clock,
): KafkaConfig {
  const sessionTimeoutMs = values['kafka.session.timeout.ms']
  return {
    bootstrapServers,
    clientId: values['kafka.client.id'],
    instanceId: values['kafka.group.instance.id'] ?? null,
    tls: tlsConfig(values),
    sasl: saslConfig(values, clock),
    connectionTimeoutMs: values['kafka.connection.timeout.ms'],
    requestTimeoutMs: values['kafka.request.timeout.ms'],
    sessionTimeoutMs,
    rebalanceTimeoutMs: values['kafka.rebalance.timeout.ms'],
    heartbeatIntervalMs:
      values['kafka.heartbeat.interval.ms'] ??
      Math.min(maxHeartbeatMs, Math.ceil(sessionTimeoutMs / heartbeatsPerSession)),
    transactionTimeoutMs: chosenTransactionTimeout(values['kafka.transaction.timeout.ms'], times),
    compression: values['kafka.compression.type'],
    discoveryIntervalMs: values['kafka.discovery.interval.ms'],
    readAhead: { records: values['kafka.read.ahead.records'], bytes: values['kafka.read.ahead.bytes'] },
    processReadAheadBytes: values['kafka.read.ahead.process.bytes'],
    maxRecordBytes: Math.max(leastRecordBytes, values['kafka.read.ahead.process.bytes']),
  }
}

function chosenTransactionTimeout(chosen: number | undefined, times: EpochTimes): number {
  if (chosen === undefined) return transactionTimeoutMs(times)
  if (chosen > longestEpochMs(times)) return chosen
  throw invalidSetting(
    'kafka.transaction.timeout.ms',
    `kafka.transaction.timeout.ms is ${String(chosen)}, and an epoch may take ${String(longestEpochMs(times))} ms (checkpoint.interval.ms, checkpoint.min.pause.ms, checkpoint.timeout.ms and the longest lookup), so that the brokers would abort it while it runs: leave it out, or set it above that`,
  )
}
