import { beforeEach, describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { PipelineContext } from '../../../src/core/context.ts'
import { TaskProducer } from '../../../src/connectors/kafka/write/taskProducer.ts'
import { RecordBatchBuilder } from '../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { findOpenTransaction } from '../../../src/connectors/kafka/doctor/findOpenTransaction.ts'
import { readRange } from '../../../src/connectors/kafka/read/partitionOffsets.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { TestLog, until, type KafkaJobOptions } from './kafkaJob.ts'
import { kafkaJobs } from './kafkaJobs.ts'
import { type KafkaWorld, output, testConfig, uniqueName } from './kafkaWorld.ts'

describeWithServers('topics that come and go', ['kafka'], (servers) => {
  const jobs = kafkaJobs(servers)
  let world: KafkaWorld
  let name: string
  let results: string

  beforeEach(async () => {
    world = jobs.world
    name = jobs.name
    results = await world.createTopic(uniqueName('results'), 1)
  })

  const start = (topic: string | readonly string[] | RegExp, options: Partial<KafkaJobOptions> = {}): RunningJob => {
    const pipeline = (context: PipelineContext) => [
      fromKafka(context, { topic, groupId: `${name}-group` }).pipe(toKafkaTransactional(context, { topic: results })),
    ]
    return jobs.start(pipeline, options)
  }
  const seen = async (): Promise<readonly string[]> => [...(await world.readValues(results, 1))].sort()
  const dropped = ({ lines }: TestLog): readonly unknown[] =>
    lines.filter(({ message }) => message.startsWith('An input is dropped')).map(({ fields }) => fields['topic'])

  describe('of a pattern', () => {
    let first: string
    let second: string
    let family: RegExp

    beforeEach(async () => {
      const prefix = uniqueName('family')
      family = new RegExp(`^${prefix}-`)
      first = await world.createTopic(`${prefix}-a`, 2)
      second = await world.createTopic(`${prefix}-b`, 2)
      await world.appendTexts(first, 0, ['a0'])
      await world.appendTexts(second, 1, ['b1'])
    })

    it('are dropped when they are deleted while the job runs, and read anew when they come back', async () => {
      const logger = new TestLog()
      // Nobody waits for the next look at the topics.
      const config = testConfig(servers.kafka(), { discoveryIntervalMs: 60_000 })
      start(family, { follow: true, logger, config })
      await until('both are read', async () => (await seen()).length === 2)
      await world.deleteTopic(second)
      await until('the topic is dropped', () => dropped(logger).length === 1)
      await world.appendTexts(first, 0, ['a0 later'])
      await world.appendTexts(first, 1, ['a1 later'])
      await until('the other one is read on', async () => (await seen()).length === 4)
      expect(dropped(logger)).toEqual([second])
      jobs.running[0]?.stop()
      await jobs.running[0]?.finished
      await world.createTopic(second, 2)
      await world.appendTexts(second, 1, ['again'])
      await start(family, { logger: new TestLog() }).finished
      expect(await seen()).toEqual(['a0', 'a0 later', 'a1 later', 'again', 'b1'])
    })

    it('are dropped when they were deleted while the job was down', async () => {
      await start(family).finished
      await world.deleteTopic(second)
      await world.appendTexts(first, 1, ['a1'])
      const logger = new TestLog()
      await start(family, { logger }).finished
      expect(await seen()).toEqual(['a0', 'a1', 'b1'])
      expect(dropped(logger)).toEqual([second])
    })

    it('are read anew when they were deleted and made anew while the job was down', async () => {
      await start(family).finished
      await world.deleteTopic(second)
      await world.createTopic(second, 2)
      await world.appendTexts(second, 1, ['b1 of another life'])
      await world.appendTexts(first, 1, ['a1'])
      await start(family).finished
      expect(await seen()).toEqual(['a0', 'a1', 'b1', 'b1 of another life'])
    })
  })

  it('of a list stop the job by name, with the remedy, while it runs and at its start', async () => {
    const [kept, gone] = [
      await world.createTopic(uniqueName('kept'), 1),
      await world.createTopic(uniqueName('gone'), 1),
    ]
    await world.appendTexts(kept, 0, ['kept'])
    await world.appendTexts(gone, 0, ['gone'])
    const job = start([kept, gone], { follow: true })
    await until('both are read', async () => (await seen()).length === 2)
    await world.deleteTopic(gone)
    await world.appendTexts(kept, 0, ['kept later'])
    const stopped = { code: 'unknown-topic', message: expect.stringContaining(`--drop-input ${gone}`) }
    await expect(job.finished).rejects.toMatchObject(stopped)
    await expect(start([kept, gone]).finished).rejects.toMatchObject(stopped)
    await start([kept, gone], { dropInputs: [gone] }).finished
    expect(await seen()).toEqual(['gone', 'kept', 'kept later'])
    await start([kept]).finished
  }, 60_000)

  it('an output that is deleted is named, and the job commits again when it is back', async () => {
    const input = await world.createTopic(uniqueName('input'), 1)
    await world.appendTexts(input, 0, ['a'])
    const logger = new TestLog()
    const job = start(input, { follow: true, logger })
    await until('the first is copied', async () => (await seen()).length === 1)
    await world.deleteTopic(results)
    await world.appendTexts(input, 0, ['b'])
    await until('the job says what is wrong', () =>
      logger.lines.some(({ level, fields }) => level === 'warn' && JSON.stringify(fields).includes(results)),
    )
    await until('it is in trouble', () => job.metrics.tasks.some(({ troubledMs }) => troubledMs > 0))
    await world.createTopic(results, 1)
    await until('it commits again', async () => (await seen()).includes('b'), 40_000)
    expect(job.metrics.tasks.map(({ trouble }) => trouble)).toEqual([null])
  }, 90_000)

  it('a bounded run tells what waits behind an open transaction, and whose it is can be found', async () => {
    const input = await world.createTopic(uniqueName('input'), 1)
    await world.appendTexts(input, 0, ['a'])
    const transactionalId = uniqueName('open')
    const producer = await TaskProducer.fence({
      cluster: world.cluster,
      transactionalId,
      transactionTimeoutMs: 60_000,
      compression: 'none',
    })
    const builder = new RecordBatchBuilder()
    builder.add(output(input, 'open'))
    await producer.append({ topic: input, partition: 0, builder, maxBytes: Infinity }, () => false)
    await world.appendTexts(input, 0, ['behind', 'behind'])
    expect(await start(input).finished).toMatchObject({ outcome: 'completed', records: 1, undecided: 3 })
    const beganMs = Date.now() - 60_000
    const found = await findOpenTransaction(world.cluster, input, 0)
    expect(found).toMatchObject({ topic: input, partition: 0, waiting: 3, firstOffset: 1, transactionalId })
    expect(found?.sinceMs).toBeGreaterThan(beganMs)
    await producer.end('commit')
    await producer.discard('The test goes on')
    await until('it is decided', async () => (await findOpenTransaction(world.cluster, input, 0)) === null)
    expect(await start(input).finished).toMatchObject({ records: 3, undecided: 0 })
  })

  it('aborted records at the end of a topic may be removed by retention once a run has passed them', async () => {
    const input = await world.createTopic(uniqueName('input'), 1)
    await world.appendTexts(input, 0, ['a'])
    await start(input).finished
    const producer = await TaskProducer.fence({
      cluster: world.cluster,
      transactionalId: uniqueName('aborting'),
      transactionTimeoutMs: 60_000,
      compression: 'none',
    })
    const builder = new RecordBatchBuilder()
    builder.add(output(input, 'aborted'))
    await producer.append({ topic: input, partition: 0, builder, maxBytes: Infinity }, () => false)
    await producer.end('abort')
    await producer.discard('The test goes on')
    await until('the marker is there', async () => (await readRange(world.cluster, input, 0)).end === 3)
    await start(input).finished
    expect(await world.groupOffsets(`${name}-group`, input)).toEqual([3])
    await world.deleteRecords(input, 0, 3)
    await world.appendTexts(input, 0, ['b'])
    await start(input).finished
    expect(await seen()).toEqual(['a', 'b'])
  })
})
