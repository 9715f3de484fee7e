import { TidemarkError, messageOf } from '../../../core/errors.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import type { JobLogs, LogProcess, OpenedJobLog } from '../../../core/ports/jobLogs.ts'
import { silentLogger } from '../../../core/ports/logger.ts'
import type { SystemEnvironment } from '../../../core/ports/system.ts'
import { clusterDirectory, isRefusal } from '../../../files/openDataDirectory.ts'
import { KafkaCluster } from '../client/kafkaCluster.ts'
import type { KafkaConfig } from '../config/kafkaConfig.ts'
import { describeConsumerGroup } from '../group/consumerGroup.ts'
import { openKafkaJobLog } from './kafkaJobLog.ts'

type LogSurroundings = Pick<SystemEnvironment, 'clock' | 'random' | 'log' | 'dataDirectory'>

/** The logs of jobs in one cluster. */
export class KafkaJobLogs implements JobLogs {
  readonly held = null
  readonly #config: KafkaConfig
  readonly #environment: LogSurroundings

  constructor({ config, ...environment }: LogSurroundings & { readonly config: KafkaConfig }) {
    this.#config = config
    this.#environment = environment
  }

  /** Brokers are reached by `open`. */
  connect(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async open(spec: JobLogSpec, process: LogProcess): Promise<OpenedJobLog> {
    const { clock, log, random } = this.#environment
    const jobLog = await openKafkaJobLog(this.#config, spec, {
      clock,
      log,
      random,
      process: process.name,
      controlAddress: process.controlAddress,
      instanceId: (clusterId) => this.#instanceId(process, clusterDirectory(clusterId)),
      localStores: () => process.localStores(),
    })
    return {
      log: jobLog,
      place: clusterDirectory(jobLog.clusterId),
      shared: true,
      changelogRetentionMs: jobLog.deleteRetentionMs,
    }
  }

  async refuseLiveGroup(groupId: string): Promise<void> {
    const cluster = new KafkaCluster(this.#config, this.#environment.clock, silentLogger)
    try {
      await cluster.metadata([])
      const { members } = await describeConsumerGroup(cluster, groupId)
      if (members.length === 0) return
      const who = members.map(
        ({ job, clientId, clientHost }) => `${job ?? clientId} on ${clientHost.replace(/^\//, '')}`,
      )
      throw new TidemarkError(
        'group-in-use',
        `--reset-offsets moves the positions of consumer group ${groupId}, and ${members.length === 1 ? 'a process works' : `${String(members.length)} processes work`} from them: ${who.join(', ')}. Stop ${members.length === 1 ? 'it' : 'them'} first; one that has died leaves the group after kafka.session.timeout.ms (${String(this.#config.sessionTimeoutMs)} ms).`,
        { details: { groupId } },
      )
    } finally {
      await cluster.close()
    }
  }

  /** Null where nothing can be written: what the process is known by must outlive it. */
  async #instanceId(process: LogProcess, place: string): Promise<string | null> {
    try {
      const directory = await process.directory(place)
      const configured = this.#config.instanceId
      return configured === null ? await directory.lastingId() : `${configured}-${String(directory.number)}`
    } catch (error) {
      if (error instanceof TidemarkError && (error.code === 'directory-in-use' || isRefusal(error))) throw error
      // A job that keeps state in files meets the same error when it opens it.
      this.#environment.log.warn(
        'This process has no directory to be known by: when it is killed and started again, its partitions wait for kafka.session.timeout.ms',
        { directory: this.#environment.dataDirectory, reason: messageOf(error) },
      )
      return null
    }
  }
}
