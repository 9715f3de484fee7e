import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock, type Clock } from '../../../src/core/clock.ts'
import { recordBytes } from '../../../src/core/record.ts'
import type { TaskLog } from '../../../src/core/taskLog.ts'
import { KafkaCluster } from '../../../src/connectors/kafka/kafkaCluster.ts'
import { RecordBatchBuilder } from '../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { TaskProducer } from '../../../src/connectors/kafka/taskProducer.ts'
import { silentLogger } from '../../../src/runtime/logger.ts'
import { commitMetadata } from '../../support/commitMetadata.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { until } from './kafkaJob.ts'
import { KafkaWorld, TestOwner, output, testConfig, uniqueName } from './kafkaWorld.ts'

const metadata = commitMetadata()

describeWithServers('a transaction in Kafka', ['kafka'], (servers) => {
  let world: KafkaWorld
  let owner: TestOwner
  let input: string
  let job: string

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    owner = new TestOwner(testConfig(servers.kafka()))
    job = uniqueName('job')
    input = await world.createTopic(uniqueName('input'), 1)
  })
  afterEach(async () => {
    await Promise.all([owner.close(), world.close()])
  })

  const fenced = async (fields: object = {}): Promise<TaskLog> => {
    const log = await owner.taskLog({ job, topics: [input], partition: 0, ...fields })
    await log.fence()
    return log
  }
  const topicOf = (maxMessageBytes: number, partitions = 1): Promise<string> =>
    world.createTopic(uniqueName('limited'), partitions, { 'max.message.bytes': String(maxMessageBytes) })

  it('splits what it sends, so that each batch stays below max.message.bytes', async () => {
    const topic = await topicOf(10_000)
    await owner.topics.load([topic])
    const log = await fenced()
    const transaction = log.begin()
    const values = Array.from({ length: 300 }, (_, n) => `${String(n)} ${'x'.repeat(1000)}`)
    for (const value of values) transaction.send(output(topic, value), 'exactly-once')
    await transaction.prepare([])
    await transaction.commit(new Map([[input, 1]]), metadata)
    expect(await world.readValues(topic, 1)).toEqual(values)
  })

  it('takes a record of exactly the size that it says a topic takes, with key and headers', async () => {
    const topic = await topicOf(20_000)
    await owner.topics.load([topic])
    const log = await fenced()
    const headers = Array.from({ length: 20 }, (_, n) => [`header-${String(n)}`, Buffer.from('value')] as const)
    const fixed = recordBytes({ key: Buffer.from('key'), headers, value: null })
    const value = 'x'.repeat(log.maxRecordBytes(topic) - fixed)
    const transaction = log.begin()
    transaction.send(output(topic, value, { key: Buffer.from('key'), headers }), 'exactly-once')
    await transaction.prepare([])
    await transaction.commit(new Map([[input, 1]]), metadata)
    expect((await world.readValues(topic, 1)).map(({ length }) => length)).toEqual([value.length])
  })

  it('gives the epoch up without a failure when a topic it did not know takes less than it thought, and then knows', async () => {
    const topic = await topicOf(2_000)
    const log = await fenced()
    expect(log.maxRecordBytes(topic)).toBeGreaterThan(500_000)
    const transaction = log.begin()
    transaction.send(output(topic, 'x'.repeat(5_000)), 'exactly-once')
    await expect(transaction.prepare([])).rejects.toMatchObject({ code: 'commit-failed', retriable: true })
    await transaction.abort()
    expect(log.maxRecordBytes(topic)).toBeLessThan(2_000)
  })

  it('learns a limit that was lowered while it runs, from the refusal', async () => {
    const topic = await topicOf(100_000)
    await owner.topics.load([topic])
    const log = await fenced()
    await world.alterTopic(topic, { 'max.message.bytes': '2000' })
    const tooLarge = (): Promise<boolean> =>
      world.append([output(topic, 'x'.repeat(5_000))]).then(
        () => false,
        () => true,
      )
    await until('the broker has taken the setting over', tooLarge)
    const transaction = log.begin()
    transaction.send(output(topic, 'x'.repeat(5_000)), 'exactly-once')
    await expect(transaction.prepare([])).rejects.toMatchObject({ code: 'commit-failed', retriable: false })
    await transaction.abort()
    expect(log.maxRecordBytes(topic)).toBeLessThan(2_000)
    expect(log.lost).toBe(true)
  })

  it('names an output topic that does not exist', async () => {
    const transaction = (await fenced()).begin()
    transaction.send(output(uniqueName('nowhere'), 'x'), 'exactly-once')
    await expect(transaction.prepare([])).rejects.toMatchObject({ code: 'unknown-topic' })
  })

  it('keeps the order of records of a topic that is still being looked up', async () => {
    const topic = await world.createTopic(uniqueName('dynamic'), 1)
    const transaction = (await fenced()).begin()
    const values = Array.from({ length: 50 }, (_, n) => String(n))
    for (const [n, value] of values.entries()) {
      transaction.send(output(topic, value), 'exactly-once')
      if (n === 25) await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await transaction.prepare([])
    await transaction.commit(new Map([[input, 1]]), metadata)
    expect(await world.readValues(topic, 1)).toEqual(values)
  })

  it('deals records without a key to all partitions in turn', async () => {
    const topic = await world.createTopic(uniqueName('keyless'), 4)
    await owner.topics.load([topic])
    const transaction = (await fenced()).begin()
    for (let n = 0; n < 40; n += 1) transaction.send(output(topic, String(n), { partition: null }), 'exactly-once')
    await transaction.prepare([])
    await transaction.commit(new Map([[input, 1]]), metadata)
    for (let partition = 0; partition < 4; partition += 1)
      expect(await world.readAll(topic, partition)).toHaveLength(10)
  })

  it('keeps what is sent at least once when the epoch is given up, and nothing else', async () => {
    const topic = await world.createTopic(uniqueName('weak'), 1)
    const transaction = (await fenced()).begin()
    transaction.send(output(topic, 'exactly'), 'exactly-once')
    transaction.send(output(topic, 'at least'), 'at-least-once')
    await transaction.prepare([])
    // Read committed waits for the open transaction, which stands before it in the log.
    await transaction.abort()
    expect(await world.readValues(topic, 1)).toEqual(['at least'])
  })

  it('does not wait for a sink without guarantee, and tells what it has lost', async () => {
    const topic = await world.createTopic(uniqueName('none'), 1)
    await owner.topics.load([topic])
    const transaction = (await fenced()).begin()
    transaction.send(output(topic, 'perhaps'), 'none')
    await transaction.prepare([])
    await transaction.commit(new Map([[input, 1]]), metadata)
    await until('it has arrived', async () => (await world.readValues(topic, 1)).length > 0)
    const seen = await world.readValues(topic, 1)
    expect(seen).toEqual(['perhaps'])
  })

  it.each(['gzip', 'zstd'] as const)('writes %s and reads it again', async (compression) => {
    const topic = await world.createTopic(uniqueName(compression), 1)
    const log = await fenced({ config: { compression } })
    const transaction = log.begin()
    const values = Array.from({ length: 1_000 }, (_, n) => `the same words again and again ${String(n)}`)
    for (const value of values) transaction.send(output(topic, value), 'exactly-once')
    await transaction.prepare([{ key: Buffer.from('k'), value: Buffer.from('v') }])
    await transaction.commit(new Map([[input, 1]]), metadata)
    expect(await world.readValues(topic, 1)).toEqual(values)
  })

  it('refuses a state value that its changelog cannot take, and takes one of 15 MiB', async () => {
    const log = await fenced()
    const large = log.begin()
    const end = await large.prepare([{ key: Buffer.from('k'), value: Buffer.alloc(15 * 1024 * 1024) }])
    await large.commit(new Map([[input, 1]]), { ...metadata, changelogEnd: end })
    const tooLarge = log.begin()
    await expect(
      tooLarge.prepare([{ key: Buffer.from('k'), value: Buffer.alloc(16 * 1024 * 1024) }]),
    ).rejects.toMatchObject({
      code: 'state-too-large',
    })
    await tooLarge.abort()
    let bytes = 0
    for await (const entries of log.readChangelog(0, end)) bytes += entries[0]?.value?.length ?? 0
    expect(bytes).toBe(15 * 1024 * 1024)
  })

  it('waits for the end of the transaction before in steps of some ms, not in hundreds', async () => {
    const delays: number[] = []
    const clock: Clock = {
      ...systemClock,
      after(delayMs, callback) {
        delays.push(delayMs)
        return systemClock.after(delayMs, callback)
      },
    }
    const cluster = new KafkaCluster(testConfig(servers.kafka()), clock, silentLogger)
    const topic = await world.createTopic(uniqueName('quick'), 1)
    const producer = await TaskProducer.fence({
      cluster,
      transactionalId: uniqueName('id'),
      transactionTimeoutMs: 60_000,
      compression: 'none',
    })
    for (let n = 0; n < 20; n += 1) {
      const builder = new RecordBatchBuilder()
      builder.add(output(topic, String(n)))
      await producer.append({ topic, partition: 0 }, builder, () => false)
      await producer.end('commit')
    }
    // Each connection looks once in 100 ms for requests that were not answered in time.
    expect(Math.max(0, ...delays.filter((delayMs) => delayMs !== 100))).toBeLessThanOrEqual(20)
    await producer.discard('the test is over')
    await cluster.close()
    expect(await world.readValues(topic, 1)).toHaveLength(20)
  })

  it('refuses a transaction timeout above that of the brokers, naming what it follows from', async () => {
    const log = await owner.taskLog({ job, topics: [input], partition: 0, config: { transactionTimeoutMs: 3_600_000 } })
    await expect(log.fence()).rejects.toMatchObject({
      code: 'invalid-setting',
      message: expect.stringContaining('checkpoint.interval.ms'),
    })
  })
})
