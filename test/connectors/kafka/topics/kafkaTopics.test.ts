import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { KafkaTopics } from '../../../../src/connectors/kafka/topics/kafkaTopics.ts'
import { silentLogger } from '../../../../src/core/ports/logger.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { output, testConfig, uniqueName } from '../kafkaWorld.ts'

describeWithServers('the topics of a cluster', ['kafka'], (servers) => {
  let topics: KafkaTopics

  beforeEach(() => {
    topics = new KafkaTopics(testConfig(servers.kafka()), { clock: systemClock, log: silentLogger })
  })
  afterEach(() => topics.close())

  it('are made, described and listed', async () => {
    const name = uniqueName('made')
    const made = await topics.createTopic(name, { partitions: 3, maxMessageBytes: 5_000 })
    expect(made).toEqual({ name, partitions: 3, maxMessageBytes: 5_000, internal: false, endOffsets: [0, 0, 0] })
    expect(await topics.describeTopic(name)).toEqual(made)
    expect(await topics.listTopics()).toContainEqual(made)
    await expect(topics.createTopic(name)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('exists already'),
    })
    await expect(topics.describeTopic(`${name}-not`)).rejects.toMatchObject({ code: 'unknown-topic' })
  })

  it('with the number of partitions that the brokers give, where none is asked for', async () => {
    expect((await topics.createTopic(uniqueName('default'))).partitions).toBeGreaterThanOrEqual(1)
  })

  it.each(['', 'a/b', '..', 'x'.repeat(250)])('are not made with a name that Kafka cannot have: %j', async (name) => {
    await expect(topics.createTopic(name)).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  it('are written by key, in order, and read in pages', async () => {
    const name = uniqueName('pages')
    await topics.createTopic(name, { partitions: 2 })
    const records = Array.from({ length: 25 }, (_, n) =>
      output(name, String(n), { partition: null, key: Buffer.from('foobar') }),
    )
    expect(await topics.append(records)).toBe(25)
    const first = await topics.readPage({ topic: name, partition: 0, from: 0, limit: 10 })
    expect(first.records.map(({ raw }) => raw?.toString())).toEqual(Array.from({ length: 10 }, (_, n) => String(n)))
    expect([first.next, first.end]).toEqual([10, 25])
    const rest = await topics.readPage({ topic: name, partition: 0, from: first.next, limit: 100 })
    expect(rest.records).toHaveLength(15)
    expect(rest.next).toBe(25)
    expect(await topics.readPage({ topic: name, partition: 1, from: 0, limit: 10 })).toEqual({
      records: [],
      next: 0,
      end: 0,
    })
    await expect(topics.readPage({ topic: name, partition: 2, from: 0, limit: 1 })).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })

  it('take nothing when one record of many is too large or its topic is not there', async () => {
    const name = uniqueName('small')
    await topics.createTopic(name, { partitions: 1, maxMessageBytes: 2_000 })
    await expect(topics.append([output(name, 'fits'), output(name, 'x'.repeat(3_000))])).rejects.toMatchObject({
      code: 'record-too-large',
    })
    await expect(topics.append([output(name, 'fits'), output(`${name}-not`, 'x')])).rejects.toMatchObject({
      code: 'unknown-topic',
    })
    expect((await topics.describeTopic(name)).endOffsets).toEqual([0])
  })

  it('have no committed offsets for a group that has read nothing', async () => {
    expect(await topics.committedOffsets(uniqueName('group'))).toEqual([])
  })
})
