import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock, type Clock } from '../../../../src/core/ports/clock.ts'
import { recordBytes, type OutputRecord } from '../../../../src/core/record.ts'
import { RecordsRefused } from '../../../../src/core/outputRefusal.ts'
import type { TaskLog } from '../../../../src/core/ports/taskLog.ts'
import { KafkaCluster } from '../../../../src/connectors/kafka/client/kafkaCluster.ts'
import { readRange } from '../../../../src/connectors/kafka/read/partitionOffsets.ts'
import { RecordBatchBuilder } from '../../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { maxRecordBytes } from '../../../../src/connectors/kafka/write/recordPlacement.ts'
import { TaskProducer } from '../../../../src/connectors/kafka/write/taskProducer.ts'
import { silentLogger } from '../../../../src/core/ports/logger.ts'
import { commitMetadata } from '../../../support/commitMetadata.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { until } from '../kafkaJob.ts'
import { KafkaWorld, TestOwner, output, testConfig, uniqueName } from '../kafkaWorld.ts'
import { at } from '../../../support/positions.ts'

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
    await log.commitLog.fence()
    return log
  }
  const topicOf = (maxMessageBytes: number, partitions = 1): Promise<string> =>
    world.createTopic(uniqueName('limited'), partitions, { 'max.message.bytes': String(maxMessageBytes) })

  it('splits what it sends, so that each batch stays below max.message.bytes', async () => {
    const topic = await topicOf(10_000)
    await owner.topics.load([topic])
    const log = await fenced()
    const transaction = log.commitLog.begin()
    const values = Array.from({ length: 300 }, (_, n) => `${String(n)} ${'x'.repeat(1000)}`)
    for (const value of values) transaction.send(output(topic, value), 'exactly-once')
    await transaction.prepare([])
    await transaction.commit(at({ [input]: 1 }), metadata)
    expect(await world.readValues(topic, 1)).toEqual(values)
  })

  it('takes a record of exactly the size that it says a topic takes, with key and headers', async () => {
    const topic = await topicOf(20_000)
    await owner.topics.load([topic])
    const log = await fenced()
    const headers = Array.from({ length: 20 }, (_, n) => [`header-${String(n)}`, Buffer.from('value')] as const)
    const fixed = recordBytes({ key: Buffer.from('key'), headers, value: null })
    const known = owner.topics.find(topic)
    if (known === undefined) throw new Error('the topic is not known')
    const value = 'x'.repeat(maxRecordBytes(known) - fixed)
    expect(log.outputs.refusal(output(topic, value, { key: Buffer.from('key'), headers }))).toBeNull()
    expect(log.outputs.refusal(output(topic, `${value}x`, { key: Buffer.from('key'), headers }))).not.toBeNull()
    const transaction = log.commitLog.begin()
    transaction.send(output(topic, value, { key: Buffer.from('key'), headers }), 'exactly-once')
    await transaction.prepare([])
    await transaction.commit(at({ [input]: 1 }), metadata)
    expect((await world.readValues(topic, 1)).map(({ length }) => length)).toEqual([value.length])
  })

  it('gives the epoch up without a failure when a topic it did not know takes less than it thought, and then knows', async () => {
    const topic = await topicOf(2_000)
    const log = await fenced()
    const large = output(topic, 'x'.repeat(5_000))
    expect(log.outputs.refusal(large)).toBeNull()
    const transaction = log.commitLog.begin()
    transaction.send(large, 'exactly-once')
    await expect(transaction.prepare([])).rejects.toBeInstanceOf(RecordsRefused)
    await transaction.abort()
    expect(log.outputs.refusal(large)).toMatchObject({ code: 'record-too-large', details: { maxBytes: 2_000 - 97 } })
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
    const transaction = log.commitLog.begin()
    const values = ['one', 'x'.repeat(5_000), 'two', 'y'.repeat(3_000), 'three']
    for (const value of values) transaction.send(output(topic, value), 'exactly-once')
    await expect(transaction.prepare([])).rejects.toMatchObject({ name: 'RecordsRefused', records: 2 })
    await transaction.abort()
    expect(log.commitLog.lost).toBe(false)
    expect(values.map((value) => log.outputs.refusal(output(topic, value))?.code ?? null)).toEqual([
      null,
      'record-too-large',
      null,
      'record-too-large',
      null,
    ])
  })

  it('names an output topic of the plan that does not exist', async () => {
    const topic = uniqueName('nowhere')
    const transaction = (await fenced({ outputs: [topic] })).commitLog.begin()
    transaction.send(output(topic, 'x'), 'exactly-once')
    await expect(transaction.prepare([])).rejects.toMatchObject({
      code: 'unknown-topic',
      message: expect.stringContaining(topic),
    })
  })

  it('refuses the records of topics that they have chosen and that do not exist, and then knows them', async () => {
    const log = await fenced()
    const names = Array.from({ length: 1_200 }, () => uniqueName('nowhere'))
    const transaction = log.commitLog.begin()
    for (const name of names) transaction.send(output(name, 'x'), 'exactly-once')
    await expect(transaction.prepare([])).rejects.toMatchObject({ name: 'RecordsRefused', records: 1_200 })
    await transaction.abort()
    for (const name of names) {
      expect(log.outputs.refusal(output(name, 'x'))).toMatchObject({
        code: 'invalid-output',
        details: { field: 'topic' },
      })
    }
  })

  it('refuses the records of a topic that they have chosen and that is deleted while it runs', async () => {
    const topic = await world.createTopic(uniqueName('going'), 1)
    const stays = await world.createTopic(uniqueName('stays'), 1)
    await owner.topics.load([topic, stays])
    const log = await fenced({ outputs: [stays] })
    await world.deleteTopic(topic)
    const attempt = async (): Promise<unknown> => {
      if (log.commitLog.lost) await log.commitLog.fence()
      const transaction = log.commitLog.begin()
      transaction.send(output(topic, 'x'), 'exactly-once')
      transaction.send(output(stays, 'y'), 'exactly-once')
      const failure = await transaction.prepare([]).then(
        () => null,
        (error: unknown) => error,
      )
      await transaction.abort()
      return failure
    }
    await until('the topic is known to be gone', async () => {
      expect(await attempt()).toMatchObject({ retriable: true })
      return log.outputs.refusal(output(topic, 'x'))?.details['field'] === 'topic'
    })
    expect(log.outputs.refusal(output(stays, 'y'))).toBeNull()
  })

  it('refuses nothing that is sent into its own changelog but as state', async () => {
    const log = await fenced()
    const changelog = `${job}-source-changelog`
    await owner.topics.load([changelog])
    expect(log.outputs.refusal(output(changelog, 'x', { key: Buffer.from('k') }))).toMatchObject({
      code: 'invalid-output',
    })
  })

  describe.each(['exactly-once', 'at-least-once'] as const)('%s, what the topic does not take', (guarantee) => {
    const now = Date.now()
    const values = ['0', '1', '2', '3', '4', '5']

    /** Sends records of which some are refused by the broker, as the settings were not known when they were sent. */
    const refusedOf = async (
      config: Readonly<Record<string, string>>,
      fields: (index: number) => Partial<OutputRecord>,
    ): Promise<readonly (string | null)[]> => {
      const topic = await world.createTopic(uniqueName('rules'), 1)
      await owner.topics.load([topic])
      const log = await fenced()
      await world.alterTopic(topic, config)
      const records = values.map((value, index) => output(topic, value, { timestamp: now, ...fields(index) }))
      await until('the broker has taken the setting over', () =>
        world.append(records).then(
          () => false,
          () => true,
        ),
      )
      // What was tried until then was stored in part.
      const { end } = await readRange(world.cluster, topic, 0)
      const transaction = log.commitLog.begin()
      for (const record of records) transaction.send(record, guarantee)
      await expect(transaction.prepare([])).rejects.toBeInstanceOf(RecordsRefused)
      await transaction.abort()
      // The replay: what is refused now is left out.
      const refusals = records.map((record) => log.outputs.refusal(record))
      if (log.commitLog.lost) await log.commitLog.fence()
      const replay = log.commitLog.begin()
      for (const [index, record] of records.entries()) if (refusals[index] === null) replay.send(record, guarantee)
      await replay.prepare([])
      await replay.commit(at({ [input]: 1 }), metadata)
      const written = (await world.readAll(topic, 0)).filter(({ offset }) => offset >= end)
      const read = new Set(written.map(({ raw }) => String(raw)))
      expect([...read].toSorted()).toEqual(values.filter((_, index) => refusals[index] === null))
      return refusals.map((error) => (error === null ? null : String(error.details['field'])))
    }

    it('a record without a key where it is compacted', async () => {
      const refused = await refusedOf({ 'cleanup.policy': 'compact' }, (index) => ({
        key: index % 2 === 0 ? Buffer.from('k') : null,
      }))
      expect(refused).toEqual([null, 'key', null, 'key', null, 'key'])
    })

    it('a time too far from now', async () => {
      const config = { 'message.timestamp.after.max.ms': '3600000', 'message.timestamp.before.max.ms': '3600000' }
      const times = [now, now * 1000, -1, now - 7_200_000, now + 60_000, now + 7_200_000]
      const refused = await refusedOf(config, (index) => ({ timestamp: times[index] ?? 0 }))
      expect(refused).toEqual([null, 'timestamp', null, 'timestamp', null, 'timestamp'])
    })
  })

  it('refuses by itself what it knows of compaction and times, and stamps of the broker concern nobody', async () => {
    const compacted = await world.createTopic(uniqueName('compacted'), 1, { 'cleanup.policy': 'compact,delete' })
    const limited = await world.createTopic(uniqueName('limited'), 1, { 'message.timestamp.before.max.ms': '1000' })
    const stamped = await world.createTopic(uniqueName('stamped'), 1, { 'message.timestamp.type': 'LogAppendTime' })
    await owner.topics.load([compacted, limited, stamped])
    const log = await fenced()
    const field = (record: OutputRecord): unknown => log.outputs.refusal(record)?.details['field'] ?? null
    const micros = Date.now() * 1000
    expect(field(output(compacted, 'x'))).toBe('key')
    expect(field(output(compacted, 'x', { key: Buffer.alloc(0), timestamp: Date.now() }))).toBeNull()
    expect(field(output(limited, 'x', { timestamp: Date.now() }))).toBeNull()
    expect(field(output(limited, 'x', { timestamp: 1_000 }))).toBe('timestamp')
    expect(field(output(limited, 'x', { timestamp: -1 }))).toBeNull()
    expect(field(output(stamped, 'x', { timestamp: micros }))).toBeNull()
  })

  describe.each(['gzip', 'zstd'] as const)('with %s', (compression) => {
    it('takes a record that is larger than the limit and fits when it is compressed', async () => {
      const topic = await topicOf(100_000)
      await owner.topics.load([topic])
      const log = await fenced({ config: { compression } })
      const values = ['small', 'x'.repeat(2_000_000), 'another']
      const transaction = log.commitLog.begin()
      for (const value of values) {
        expect(log.outputs.refusal(output(topic, value))).toBeNull()
        transaction.send(output(topic, value), 'exactly-once')
      }
      await transaction.prepare([])
      await transaction.commit(at({ [input]: 1 }), metadata)
      expect((await world.readValues(topic, 1)).map(({ length }) => length)).toEqual([5, 2_000_000, 7])
    })

    it('refuses one that does not fit, and takes one just at the limit that does not compress', async () => {
      const topic = await topicOf(100_000)
      await owner.topics.load([topic])
      const log = await fenced({ config: { compression } })
      const noise = (bytes: number): OutputRecord => ({ ...output(topic, ''), value: randomBytes(bytes) })
      const [fits, large] = [noise(100_000 - 97), noise(150_000)]
      const transaction = log.commitLog.begin()
      for (const record of [fits, large]) transaction.send(record, 'exactly-once')
      await expect(transaction.prepare([])).rejects.toMatchObject({ name: 'RecordsRefused', records: 1 })
      await transaction.abort()
      expect(log.outputs.refusal(fits)).toBeNull()
      expect(log.outputs.refusal(large)).toMatchObject({
        code: 'record-too-large',
        message: expect.stringContaining(topic),
      })
    })

    it('finds the records that the broker itself cannot pack as small as they came', async () => {
      const topic = await world.createTopic(uniqueName('repacked'), 1, {
        'max.message.bytes': '100000',
        'compression.type': compression === 'gzip' ? 'uncompressed' : 'gzip',
      })
      await owner.topics.load([topic])
      const log = await fenced({ config: { compression } })
      const large = output(topic, 'x'.repeat(2_000_000))
      const values = Array.from({ length: 20 }, (_, n) => `value ${String(n)}`)
      const transaction = log.commitLog.begin()
      for (const value of values) transaction.send(output(topic, value), 'exactly-once')
      transaction.send(large, 'exactly-once')
      if (compression === 'gzip') {
        await expect(transaction.prepare([])).rejects.toMatchObject({ name: 'RecordsRefused', records: 1 })
        await transaction.abort()
        expect(log.outputs.refusal(large)).toMatchObject({ code: 'record-too-large' })
      } else {
        await transaction.prepare([])
        await transaction.commit(at({ [input]: 1 }), metadata)
        expect(await world.readValues(topic, 1)).toHaveLength(21)
      }
    })
  })

  it('keeps the order of records of a topic that is still being looked up', async () => {
    const topic = await world.createTopic(uniqueName('dynamic'), 1)
    const transaction = (await fenced()).commitLog.begin()
    const values = Array.from({ length: 50 }, (_, n) => String(n))
    for (const [n, value] of values.entries()) {
      transaction.send(output(topic, value), 'exactly-once')
      if (n === 25) await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await transaction.prepare([])
    await transaction.commit(at({ [input]: 1 }), metadata)
    expect(await world.readValues(topic, 1)).toEqual(values)
  })

  it('deals records without a key to all partitions in turn', async () => {
    const topic = await world.createTopic(uniqueName('keyless'), 4)
    await owner.topics.load([topic])
    const transaction = (await fenced()).commitLog.begin()
    for (let n = 0; n < 40; n += 1) transaction.send(output(topic, String(n), { partition: null }), 'exactly-once')
    await transaction.prepare([])
    await transaction.commit(at({ [input]: 1 }), metadata)
    for (let partition = 0; partition < 4; partition += 1)
      expect(await world.readAll(topic, partition)).toHaveLength(10)
  })

  it('keeps what is sent at least once when the epoch is given up, and nothing else', async () => {
    const topic = await world.createTopic(uniqueName('weak'), 1)
    const transaction = (await fenced()).commitLog.begin()
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
    const transaction = (await fenced()).commitLog.begin()
    transaction.send(output(topic, 'perhaps'), 'none')
    await transaction.prepare([])
    await transaction.commit(at({ [input]: 1 }), metadata)
    await until('it has arrived', async () => (await world.readValues(topic, 1)).length > 0)
    const seen = await world.readValues(topic, 1)
    expect(seen).toEqual(['perhaps'])
  })

  it.each(['gzip', 'zstd'] as const)('writes %s and reads it again', async (compression) => {
    const topic = await world.createTopic(uniqueName(compression), 1)
    const log = await fenced({ config: { compression } })
    const transaction = log.commitLog.begin()
    const values = Array.from({ length: 1_000 }, (_, n) => `the same words again and again ${String(n)}`)
    for (const value of values) transaction.send(output(topic, value), 'exactly-once')
    await transaction.prepare([{ key: Buffer.from('k'), value: Buffer.from('v') }])
    await transaction.commit(at({ [input]: 1 }), metadata)
    expect(await world.readValues(topic, 1)).toEqual(values)
  })

  it('refuses a state value that its changelog cannot take, and takes one of 15 MiB', async () => {
    const log = await fenced()
    const large = log.commitLog.begin()
    const end = await large.prepare([{ key: Buffer.from('k'), value: Buffer.alloc(15 * 1024 * 1024) }])
    await large.commit(at({ [input]: 1 }), { ...metadata, changelogEnd: end })
    const tooLarge = log.commitLog.begin()
    await expect(
      tooLarge.prepare([{ key: Buffer.from('k'), value: Buffer.alloc(16 * 1024 * 1024) }]),
    ).rejects.toMatchObject({
      code: 'state-too-large',
    })
    await tooLarge.abort()
    let bytes = 0
    for await (const entries of log.changelog.read(0, end)) bytes += entries[0]?.value?.length ?? 0
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
      await producer.append({ topic, partition: 0, builder, maxBytes: Infinity }, () => false)
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
    await expect(log.commitLog.fence()).rejects.toMatchObject({
      code: 'invalid-setting',
      message: expect.stringContaining('checkpoint.interval.ms'),
    })
  })
})
