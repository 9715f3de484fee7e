import { systemClock } from '../../../src/core/ports/clock.ts'
import { systemRandom } from '../../../src/core/ports/random.ts'
import type { OutputRecord, StreamRecord } from '../../../src/core/record.ts'
import { hostPorts } from '../../../src/core/settingCodecs.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { describeConsumerGroup, type ConsumerGroupFacts } from '../../../src/connectors/kafka/group/consumerGroup.ts'
import { Fetcher } from '../../../src/connectors/kafka/read/fetcher.ts'
import { KafkaCluster } from '../../../src/connectors/kafka/client/kafkaCluster.ts'
import type { KafkaConfig } from '../../../src/connectors/kafka/config/kafkaConfig.ts'
import { KafkaTaskLog } from '../../../src/connectors/kafka/log/kafkaTaskLog.ts'
import { ensureChangelogTopic } from '../../../src/connectors/kafka/log/kafkaChangelog.ts'
import { ensureWriteAheadTopic } from '../../../src/connectors/kafka/log/kafkaWriteAheadLog.ts'
import { readGroupOffsets } from '../../../src/connectors/kafka/group/groupOffsets.ts'
import { readRange, untilLed } from '../../../src/connectors/kafka/read/partitionOffsets.ts'
import { PlainProducer } from '../../../src/connectors/kafka/write/plainProducer.ts'
import { requestCreateTopics } from '../../../src/connectors/kafka/protocol/createTopics.ts'
import { kafkaError } from '../../../src/connectors/kafka/protocol/errorCodes.ts'
import { requestProduce } from '../../../src/connectors/kafka/protocol/produce.ts'
import { sendRaw } from '../../../src/connectors/kafka/protocol/rawRequest.ts'
import { RecordBatchBuilder } from '../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { ReadBudget } from '../../../src/connectors/kafka/read/readBudget.ts'
import { readPartition } from '../../../src/connectors/kafka/read/readPartition.ts'
import { TopicDirectory } from '../../../src/connectors/kafka/client/topicDirectory.ts'
import type { TaskReader } from '../../../src/core/ports/inputs.ts'

/** Short times, so that what depends on them is seen soon. */
export function testConfig(bootstrapServers: string, overrides: Partial<KafkaConfig> = {}): KafkaConfig {
  const decoded = hostPorts(9092).decode(bootstrapServers)
  if (decoded._tag === 'Left') throw new Error(`no bootstrap servers: ${bootstrapServers}`)
  return {
    bootstrapServers: decoded.right,
    clientId: 'tidemark-test',
    instanceId: null,
    tls: null,
    sasl: null,
    connectionTimeoutMs: 5_000,
    requestTimeoutMs: 15_000,
    sessionTimeoutMs: 6_000,
    rebalanceTimeoutMs: 20_000,
    heartbeatIntervalMs: 300,
    transactionTimeoutMs: 60_000,
    compression: 'none',
    discoveryIntervalMs: 1_000,
    readAhead: { records: 10_000, bytes: 4 * 1024 * 1024 },
    processReadAheadBytes: 64 * 1024 * 1024,
    maxRecordBytes: 64 * 1024 * 1024,
    ...overrides,
  }
}

/** A name that no other test uses: the broker is shared. */
export function uniqueName(what: string): string {
  return `${what}-${systemRandom.hex(6)}`
}

/** A broker as tests use it, beside the code that is tested. */
export class KafkaWorld {
  readonly config: KafkaConfig
  readonly cluster: KafkaCluster
  readonly #fetcher: Fetcher
  readonly #plain: PlainProducer

  constructor(bootstrapServers: string, overrides: Partial<KafkaConfig> = {}) {
    this.config = testConfig(bootstrapServers, overrides)
    this.cluster = new KafkaCluster(this.config, systemClock, silentLogger)
    this.#fetcher = new Fetcher(this.cluster, silentLogger, { maxWaitMs: 50 })
    this.#plain = new PlainProducer(this.cluster, 'none')
  }

  async createTopic(name: string, partitions: number, config: Readonly<Record<string, string>> = {}): Promise<string> {
    await this.cluster.metadata([])
    const created = await requestCreateTopics(await this.cluster.controller(), { name, partitions, config })
    if (created.error !== 0) throw new Error(`topic ${name}: ${String(created.error)} ${created.message ?? ''}`)
    await untilLed(this.cluster, name, partitions)
    return name
  }

  async alterTopic(name: string, config: Readonly<Record<string, string>>): Promise<void> {
    const broker: unknown = await this.cluster.any()
    const alter = broker as { alterConfigs(request: object): Promise<unknown> }
    const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }))
    await alter.alterConfigs({ resources: [{ type: 2, name, configEntries }] })
  }

  describeGroup(groupId: string): Promise<ConsumerGroupFacts> {
    return describeConsumerGroup(this.cluster, groupId)
  }

  async grow(topic: string, count: number): Promise<void> {
    await (await this.cluster.controller()).createPartitions({ topicPartitions: [{ topic, count }] })
    await untilLed(this.cluster, topic, count)
  }

  /** Resolves when no broker knows it any more. */
  async deleteTopic(topic: string): Promise<void> {
    const controller = await this.cluster.controller()
    const broker = controller as unknown as { deleteTopics(request: object): Promise<unknown> }
    await broker.deleteTopics({ topics: [topic], timeout: 10_000 })
    await this.cluster.retry(
      `Waiting for the end of ${topic}`,
      async () => {
        const { topics } = await this.cluster.metadata([topic])
        if (topics[0]?.error !== kafkaError.unknownTopicOrPartition) throw new Error(`${topic} is still there`)
      },
      () => Promise.resolve(true),
    )
  }

  async deleteRecords(topic: string, partition: number, before: number): Promise<void> {
    const leader = await this.cluster.pool.broker(await this.cluster.leaderOf(topic, partition))
    await leader.deleteRecords({ topics: [{ topic, partitions: [{ partition, offset: String(before) }] }] })
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.cluster.atCoordinator('group', groupId, 'Deleting the group', async (broker: unknown) => {
      await (broker as { deleteGroups(groups: readonly string[]): Promise<unknown> }).deleteGroups([groupId])
    })
  }

  /** As they expire, or are removed by hand, topic by topic. Nobody may be in the group. */
  async deleteOffsets(groupId: string, topic: string, partition: number): Promise<void> {
    const error = await this.cluster.atCoordinator('group', groupId, 'Deleting an offset', (broker) =>
      sendRaw(
        broker,
        { key: 47, version: 0, name: 'OffsetDelete' },
        (writer) => writer.string(groupId).int32(1).string(topic).int32(1).int32(partition),
        (reader) => {
          const refused = reader.int16()
          reader.int32()
          return reader
            .array(() => {
              reader.string()
              return reader.array(() => {
                reader.int32()
                return reader.int16()
              })
            })
            .flat()
            .reduce((first, code) => first || code, refused)
        },
      ),
    )
    if (error !== 0) throw new Error(`the offset of ${topic} in ${groupId} cannot be deleted: ${String(error)}`)
  }

  /** Committed offsets by partition. */
  async groupOffsets(groupId: string, topic: string): Promise<readonly number[]> {
    return (await this.groupTexts(groupId, topic)).map(({ offset }) => offset)
  }

  /** Committed offsets by partition, with the texts beside them. */
  async groupTexts(
    groupId: string,
    topic: string,
  ): Promise<readonly { readonly offset: number; readonly metadata: string }[]> {
    const found = (await readGroupOffsets(this.cluster, groupId)).filter((offset) => offset.topic === topic)
    return found.toSorted((a, b) => a.partition - b.partition)
  }

  /** As other tools do, in a group that nobody is in. */
  async commitOffset(
    groupId: string,
    topic: string,
    partition: number,
    { offset, metadata }: { readonly offset: number; readonly metadata: string },
  ): Promise<void> {
    await this.cluster.atCoordinator('group', groupId, 'Committing an offset', async (broker: unknown) => {
      await (broker as { offsetCommit(request: object): Promise<unknown> }).offsetCommit({
        groupId,
        groupGenerationId: -1,
        memberId: '',
        topics: [{ topic, partitions: [{ partition, offset: String(offset), metadata }] }],
      })
    })
  }

  /** Takes a transactional id over, as another process would. Resolves with its new producer. */
  async fence(transactionalId: string): Promise<{ readonly producerId: string; readonly producerEpoch: number }> {
    const until = Date.now() + 10_000
    for (;;) {
      try {
        return await this.cluster.atCoordinator('transaction', transactionalId, 'Fencing', (broker) =>
          broker.initProducerId({ transactionalId, transactionTimeout: 60_000 }),
        )
      } catch (error) {
        if (Date.now() > until) throw error
      }
    }
  }

  /** The producer id and epoch that the broker knows for a transactional id (DescribeTransactions). */
  transactionalProducer(transactionalId: string): Promise<unknown> {
    return this.cluster.atCoordinator('transaction', transactionalId, 'Describing the transaction', (broker) =>
      sendRaw(
        broker,
        { key: 65, version: 0, name: 'DescribeTransactions' },
        (writer) => {
          writer
            .int8(0)
            .int8(2)
            .int8(transactionalId.length + 1)
          for (const byte of Buffer.from(transactionalId)) writer.int8(byte)
          writer.int8(0)
        },
        (reader) => {
          reader.take(1 + 4 + 1)
          const error = reader.int16()
          reader.take(reader.int8() - 1)
          reader.take(reader.int8() - 1)
          reader.take(4 + 8)
          return { error, producerId: reader.bigInt64(), epoch: reader.int16() }
        },
      ),
    )
  }

  /** Appends records outside of any transaction, all those of a partition as one batch. */
  async append(records: readonly OutputRecord[]): Promise<void> {
    for (const [, batch] of Map.groupBy(records, ({ topic, partition }) => `${topic}/${String(partition)}`)) {
      const builder = new RecordBatchBuilder()
      for (const record of batch) builder.add(record)
      const [first] = batch
      if (first !== undefined)
        await this.#plain
          .append({ topic: first.topic, partition: first.partition ?? 0, builder, maxBytes: Infinity })
          .then(({ refused }) => {
            for (const { code, message } of refused) throw new Error(`refused: ${String(code)} ${message ?? ''}`)
          })
    }
  }

  /** Appends a batch as it is, once: whatever a producer may have written. */
  async appendBatch(topic: string, partition: number, batch: Buffer): Promise<number> {
    const leader = await this.cluster.pool.broker(await this.cluster.leaderOf(topic, partition))
    const produce = { topic, partition, transactionalId: null, batch, timeoutMs: 30_000 }
    const { error, message, baseOffset } = await requestProduce(leader, produce)
    if (error !== 0) throw new Error(`refused: ${String(error)} ${message ?? ''}`)
    return baseOffset
  }

  async appendTexts(topic: string, partition: number, values: readonly string[]): Promise<void> {
    await this.append(
      values.map((value) => ({
        topic,
        partition,
        key: Buffer.from(value),
        value: Buffer.from(value),
        headers: [],
        timestamp: Date.now(),
      })),
    )
  }

  /** Committed records. A commit is acknowledged some ms before its marker is written, so this waits for what is under way. */
  async readAll(topic: string, partition: number): Promise<readonly StreamRecord[]> {
    const until = Date.now() + 300
    let { start, end } = await readRange(this.cluster, topic, partition)
    while (end < (await this.highWatermark(topic, partition)) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      ;({ start, end } = await readRange(this.cluster, topic, partition))
    }
    const records: StreamRecord[] = []
    for await (const batch of readPartition(this.#fetcher, { topic, partition }, start, end)) records.push(...batch)
    return records
  }

  async readValues(topic: string, partitions: number): Promise<readonly string[]> {
    const values: string[] = []
    for (let partition = 0; partition < partitions; partition += 1) {
      for (const { raw } of await this.readAll(topic, partition)) values.push(raw?.toString() ?? 'null')
    }
    return values
  }

  async highWatermark(topic: string, partition: number): Promise<number> {
    const leader = await this.cluster.pool.broker(await this.cluster.leaderOf(topic, partition))
    const { responses } = await leader.listOffsets({
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ topic, partitions: [{ partition, timestamp: -1 }] }],
    })
    return Number(responses[0]?.partitions[0]?.offset ?? 0)
  }

  async close(): Promise<void> {
    this.#fetcher.close()
    await this.#plain.close()
    await this.cluster.close()
  }
}

export interface TestTask {
  readonly job: string
  readonly topics: readonly string[]
  readonly partition: number
  readonly groupId?: string
  readonly prefix?: string
  /** Topics that the plan names; default: none. */
  readonly outputs?: readonly string[]
  readonly config?: Partial<KafkaConfig>
  readonly confirm?: (partition: number) => Promise<void>
  /** It has a write-ahead log; default: none. */
  readonly follows?: boolean
}

/** A process that owns tasks without a consumer group: whoever fences last has them. */
export class TestOwner {
  readonly cluster: KafkaCluster
  readonly fetcher: Fetcher
  readonly topics: TopicDirectory
  readonly #config: KafkaConfig

  constructor(config: KafkaConfig) {
    this.#config = config
    this.cluster = new KafkaCluster(config, systemClock, silentLogger)
    this.fetcher = new Fetcher(this.cluster, silentLogger, { maxWaitMs: 50 })
    this.topics = new TopicDirectory(this.cluster)
  }

  async taskLog({
    job,
    topics,
    partition,
    groupId,
    prefix,
    outputs,
    config,
    confirm,
    follows,
  }: TestTask): Promise<KafkaTaskLog> {
    const changelogTopic = `${job}-source-changelog`
    const writeAheadTopic = `${job}-source-wal`
    await ensureChangelogTopic(this.cluster, changelogTopic, 2)
    if (follows === true) await ensureWriteAheadTopic(this.cluster, writeAheadTopic, 2)
    const { transactionTimeoutMs, compression, readAhead } = { ...this.#config, ...config }
    return new KafkaTaskLog(
      {
        cluster: this.cluster,
        clock: systemClock,
        log: silentLogger,
        topics: this.topics,
        fetcher: this.fetcher,
        budget: new ReadBudget(64 * 1024 * 1024, systemClock),
        groupId: groupId ?? `${job}-group`,
        changelogTopic,
        writeAheadTopic,
        ownTopics: new Set([changelogTopic, writeAheadTopic]),
        outputs: new Set(outputs),
        transactionalIdPrefix: prefix ?? job,
        transactionTimeoutMs,
        compression,
        readAhead,
        skips: [],
        missing: () => false,
        confirm: confirm ?? (() => Promise.resolve()),
      },
      { task: { job, group: 'source', partition }, topics },
    )
  }

  async close(): Promise<void> {
    this.fetcher.close()
    await this.cluster.close()
  }
}

export function output(topic: string, value: string | null, fields: Partial<OutputRecord> = {}): OutputRecord {
  return {
    topic,
    partition: 0,
    key: null,
    value: value === null ? null : Buffer.from(value),
    headers: [],
    timestamp: 1_000,
    ...fields,
  }
}

/** Reads until the reader is done. */
export async function take(reader: TaskReader): Promise<readonly StreamRecord[]> {
  const records: StreamRecord[] = []
  while (!reader.done) {
    if (reader.failure !== null) throw reader.failure
    const record = reader.next()
    if (record !== undefined) records.push(record)
    else {
      await new Promise<void>((resolve) => {
        reader.whenReadable(resolve)
      })
    }
  }
  return records
}
