import { within } from '../../../core/ports/clock.ts'
import type { ControlRecord } from '../../../core/controlRecord.ts'
import type { TidemarkError } from '../../../core/errors.ts'
import {
  changelogTopicName,
  controlTopicName,
  controlTransactionalId,
  ownTopicsOf,
  writeAheadTopicName,
} from '../../../core/ownNames.ts'
import type { JobLog, JobLogSpec, TaskListener } from '../../../core/ports/jobLog.ts'
import { formatHostPort } from '../../../core/settingCodecs.ts'
import { TaskRoster } from '../../../core/taskRoster.ts'
import { checkCopartitioned, tasksOf, topicsOfTask } from '../../../core/topicSelection.ts'
import { checkDeleteRetention, ensureChangelogTopic } from './kafkaChangelog.ts'
import { ControlTopic } from './controlTopic.ts'
import { Fetcher } from '../read/fetcher.ts'
import { GroupMember } from '../group/groupMember.ts'
import { InputDiscovery } from '../group/inputDiscovery.ts'
import { resolveInputs } from './inputTopics.ts'
import { KafkaCluster } from '../client/kafkaCluster.ts'
import { systemUnreachable } from '../client/kafkaErrors.ts'
import type { KafkaConfig, KafkaEnvironment } from '../config/kafkaConfig.ts'
import { KafkaTaskLog } from './kafkaTaskLog.ts'
import { ensureWriteAheadTopic } from './kafkaWriteAheadLog.ts'
import { partitionsOf } from './ownTopic.ts'
import type { TaskLogShared } from './taskLogShared.ts'
import { checkNoNamesake } from '../group/namesakes.ts'
import { ReadBudget } from '../read/readBudget.ts'
import { checkBrokerVersion, checkGroupIsClassic, checkTransactionTimeout } from './startupChecks.ts'
import { TopicDirectory } from '../client/topicDirectory.ts'

/** A start that has not reached Kafka by then says so. */
const startLimitMs = 12_000

/**
 * Opens a job's log in Kafka: connects, checks that everything the job needs is there, and makes its changelog topic.
 * Rejects within 15 s with `system-unreachable` (wrong address, password, certificate or port, each with its fix),
 * `unknown-topic`, `invalid-plan` (partition counts, a group of another kind) or `invalid-setting`.
 */
export async function openKafkaJobLog(
  config: KafkaConfig,
  spec: JobLogSpec,
  environment: KafkaEnvironment,
): Promise<KafkaJobLog> {
  const log = environment.log.with({ system: 'kafka' })
  const cluster = new KafkaCluster(config, environment.clock, log)
  try {
    return await within(environment.clock, startLimitMs, open(cluster, config, spec, { ...environment, log }), () => {
      throw tooLate(config)
    })
  } catch (error) {
    void cluster.close()
    throw error
  }
}

async function open(
  cluster: KafkaCluster,
  config: KafkaConfig,
  spec: JobLogSpec,
  environment: KafkaEnvironment,
): Promise<KafkaJobLog> {
  checkBrokerVersion(await cluster.any(), environment.log)
  const counts = await resolveInputs(cluster, spec)
  if (spec.copartitioned) checkCopartitioned(counts)
  await checkGroupIsClassic(cluster, spec.groupId)
  await checkNoNamesake(cluster, spec, environment.log)
  await checkTransactionTimeout(cluster, config.transactionTimeoutMs)
  const instanceId = (await environment.instanceId?.(cluster.id)) ?? null
  const jobLog = new KafkaJobLog({ cluster, config, spec, environment, counts, instanceId })
  await jobLog.prepare()
  return jobLog
}

interface Opened {
  readonly cluster: KafkaCluster
  readonly config: KafkaConfig
  readonly spec: JobLogSpec
  readonly environment: KafkaEnvironment
  readonly counts: ReadonlyMap<string, number>
  /** `group.instance.id`; null for a dynamic member. */
  readonly instanceId: string | null
}

/** A job's membership in Kafka: one consumer group, one fetcher and one producer a task in each process. */
export class KafkaJobLog implements JobLog {
  readonly #opened: Opened
  readonly #inputs: InputDiscovery
  readonly #fetcher: Fetcher
  readonly #shared: TaskLogShared
  readonly #member: GroupMember
  #deleteRetentionMs = 0
  #listener: TaskListener | null = null
  readonly #control: ControlTopic
  /** The reset that was decided last when the tasks were dealt out; null: none was; undefined: it is not known. */
  #reset: string | null | undefined
  #roster: TaskRoster<KafkaTaskLog> | null = null
  readonly #first: PromiseWithResolvers<void> = Promise.withResolvers()
  /** From the moment when the tasks come to rest until they are dealt out; null: they are. */
  #dealing: PromiseWithResolvers<void> | null = null
  #left = false

  constructor(opened: Opened) {
    this.#opened = opened
    const { cluster, config, spec, environment } = opened
    const { clock, log } = environment
    this.#inputs = new InputDiscovery({
      cluster,
      spec,
      environment,
      intervalMs: config.discoveryIntervalMs,
      counts: opened.counts,
      member: () => this.#member,
      grown: (tasks) => this.#ensureOwnTopics(tasks),
      failed: (failure) => {
        this.#failed(failure)
      },
    })
    this.#fetcher = new Fetcher(cluster, log, { maxRecordBytes: config.maxRecordBytes }, (topic) =>
      this.#inputs.isMissing(topic),
    )
    this.#control = new ControlTopic({
      cluster,
      fetcher: this.#fetcher,
      topic: controlTopicName(spec),
      transactionalId: controlTransactionalId(spec.transactionalIdPrefix),
      transactionTimeoutMs: config.transactionTimeoutMs,
    })
    this.#member = new GroupMember({
      ...spec,
      ...config,
      cluster,
      clock,
      log,
      instanceId: opened.instanceId,
      partitionCounts: ({ fresh }) => (fresh ? this.#inputs.now() : Promise.resolve(this.#inputs.counts)),
      claims: () => ({
        running: this.#roster?.tasks ?? [],
        stores: environment.localStores?.() ?? new Map(),
        address: environment.controlAddress ?? null,
        process: environment.process ?? null,
      }),
      prepareRejoin: () => this.#comeToRest(),
      assigned: (tasks) => this.#assigned(tasks),
      failed: (error) => {
        this.#failed(error)
      },
    })
    this.#shared = {
      ...spec,
      ...config,
      cluster,
      clock,
      log,
      topics: new TopicDirectory(cluster),
      fetcher: this.#fetcher,
      budget: new ReadBudget(config.processReadAheadBytes, clock),
      changelogTopic: changelogTopicName(spec),
      writeAheadTopic: writeAheadTopicName(spec),
      ownTopics: ownTopicsOf(spec),
      outputs: new Set(spec.outputs),
      skips: spec.skips ?? [],
      missing: (topic) => this.#inputs.isMissing(topic),
      confirm: (partition) => this.#member.confirm(partition),
    }
  }

  /** Of every input topic, as of now: a stateless group grows while it runs. */
  get partitionCounts(): ReadonlyMap<string, number> {
    return this.#inputs.counts
  }

  /** The cluster's own id: local state of another cluster is another job's. */
  get clusterId(): string | null {
    return this.#opened.cluster.id
  }

  /** `delete.retention.ms` of the changelog, as it was at the start: so long its deletions can be read. */
  get deleteRetentionMs(): number {
    return this.#deleteRetentionMs
  }

  /** Control addresses of the job's processes, as of the last rebalance. */
  get addresses(): readonly string[] {
    return this.#member.addresses
  }

  /** Makes what the job needs, unless its name is another deployment's: then nothing was changed. */
  async prepare(): Promise<void> {
    const { cluster, spec, environment } = this.#opened
    const { changelogTopic, writeAheadTopic, topics } = this.#shared
    try {
      await spec.admit?.({
        partitionCounts: this.#inputs.counts,
        changelogs: async () => (await partitionsOf(cluster, changelogTopic)) ?? 0,
        tasks: () => this.tasks(),
        control: () => this.control(),
      })
      this.#deleteRetentionMs = await this.#ensureOwnTopics(tasksOf(this.#inputs.counts))
      checkDeleteRetention(changelogTopic, this.#deleteRetentionMs, environment.log)
      const own = spec.follows === true ? [changelogTopic, writeAheadTopic] : [changelogTopic]
      await topics.load([...new Set([...spec.outputs, ...own])])
    } catch (error) {
      this.#fetcher.close()
      throw error
    }
  }

  /** Resolves with the changelog's `delete.retention.ms`. */
  async #ensureOwnTopics(tasks: number): Promise<number> {
    const { cluster, spec } = this.#opened
    const { changelogTopic, writeAheadTopic } = this.#shared
    if (spec.follows === true) await ensureWriteAheadTopic(cluster, writeAheadTopic, tasks)
    return ensureChangelogTopic(cluster, changelogTopic, tasks)
  }

  tasks(): readonly KafkaTaskLog[] {
    const { counts } = this.#inputs
    return Array.from({ length: tasksOf(counts) }, (_, partition) =>
      this.#task(partition, topicsOfTask(counts, partition)),
    )
  }

  /**
   * Read once in each generation of the group: whoever has decided a reset joins the group after it, which makes a new one.
   */
  control(): Promise<ControlRecord | null> {
    return this.#control.read()
  }

  replaceControl(next: (current: ControlRecord | null) => Promise<ControlRecord>): Promise<ControlRecord> {
    return this.#control.replace(next)
  }

  /** Resolves when the group has dealt its tasks out for the first time, this process's share handed over. */
  async join(listener: TaskListener): Promise<void> {
    this.#listener = listener
    this.#roster = new TaskRoster<KafkaTaskLog>(listener, (partition, topics) => this.#task(partition, topics))
    this.#member.start()
    await this.#first.promise
    this.#inputs.begin()
  }

  async settled(): Promise<void> {
    await this.#dealing?.promise
  }

  async leave(how = { restarting: false }): Promise<void> {
    if (this.#left) return
    this.#left = true
    this.#dealt()
    this.#inputs.end()
    this.#first.resolve()
    await this.#roster?.close()
    await this.#member.leave(how)
    this.#fetcher.close()
    await this.#opened.cluster.close()
  }

  #task(partition: number, topics: readonly string[]): KafkaTaskLog {
    const { job, group } = this.#opened.spec
    return new KafkaTaskLog(this.#shared, { task: { job, group, partition }, topics })
  }

  /** Every task cuts its epoch and commits it, for at most half the rebalance timeout; none begins another one. */
  async #comeToRest(): Promise<void> {
    const { config, environment } = this.#opened
    this.#dealing ??= Promise.withResolvers()
    this.#roster?.hold()
    const rested = this.#listener?.rebalancing() ?? Promise.resolve()
    await within(environment.clock, config.rebalanceTimeoutMs / 2, rested, () => {
      environment.log.warn(
        'Some tasks did not finish their epochs before the rebalance; an epoch of a task that moves away is replayed there',
      )
    })
  }

  async #assigned(tasks: ReadonlyMap<number, readonly string[]>): Promise<void> {
    this.#control.forget()
    // It may be joining anew after an error, with tasks that were never told to rest.
    this.#dealing ??= Promise.withResolvers()
    const unseen = [...tasks].some(([task, topics]) =>
      topics.some((topic) => task >= (this.#inputs.counts.get(topic) ?? 0)),
    )
    // The leader has seen topics or partitions that this process has not.
    if (unseen) await this.#inputs.lookUp()
    const before = this.#reset
    const now = await this.#lastReset()
    await this.#roster?.settle(
      // A leader that does not know yet, or an earlier version of it, deals out what is gone.
      new Map([...tasks].map(([task, topics]) => [task, topics.filter((topic) => this.#inputs.counts.has(topic))])),
      { anew: before !== undefined && now !== undefined && now !== before },
    )
    this.#reset = now === undefined ? before : now
    this.#dealt()
    this.#inputs.dealt()
    this.#first.resolve()
  }

  /** Undefined where it cannot be read now: a task that is recovered asks again. */
  async #lastReset(): Promise<string | null | undefined> {
    try {
      return (await this.control())?.request.id ?? null
    } catch {
      return undefined
    }
  }

  #dealt(): void {
    this.#dealing?.resolve()
    this.#dealing = null
  }

  #failed(failure: TidemarkError): void {
    this.#first.reject(failure)
    // Whoever waits in `join` is told; later nobody does.
    this.#first.promise.catch(() => undefined)
    this.#listener?.failed(failure)
  }
}

function tooLate({ bootstrapServers, tls }: KafkaConfig): TidemarkError {
  const addresses = bootstrapServers.map(formatHostPort).join(',')
  return systemUnreachable(
    `Kafka at ${addresses} did not answer within ${String(startLimitMs / 1000)} s (${tls === null ? 'without' : 'with'} TLS). Check kafka.bootstrap.servers, security.protocol, and what the brokers advertise (advertised.listeners)`,
    { address: addresses },
  )
}
