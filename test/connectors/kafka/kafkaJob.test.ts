import { setTimeout as wait } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { beforeEach, describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapWithState } from '../../../operators/mapWithState.ts'
import { sideOutput } from '../../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { concatMap, map } from 'rxjs'
import type { PipelineContext } from '../../../src/core/context.ts'
import type { DeadLetter } from '../../../src/core/deadLetter.ts'
import type { Sinkable } from '../../../src/core/outputRecord.ts'
import { committedOffsets, earliest, latest, type StartMode } from '../../../src/core/startMode.ts'
import type { Pipelines } from '../../../src/runtime/plan/defineJob.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { TestLog, startKafkaJob, until, type KafkaJobOptions } from './kafkaJob.ts'
import { kafkaJobs } from './kafkaJobs.ts'
import { type KafkaWorld, output, testConfig, uniqueName } from './kafkaWorld.ts'

describeWithServers('a job on a real Kafka', ['kafka'], (servers) => {
  const jobs = kafkaJobs(servers)
  let world: KafkaWorld
  let name: string
  let input: string
  let results: string

  beforeEach(async () => {
    world = jobs.world
    name = jobs.name
    input = await world.createTopic(uniqueName('input'), 3)
    results = await world.createTopic(uniqueName('results'), 3)
  })

  const start = (
    pipeline: (context: PipelineContext) => Pipelines,
    options: Partial<KafkaJobOptions> = {},
  ): RunningJob => {
    return jobs.start(pipeline, options)
  }
  const copy = (
    context: PipelineContext,
    startFrom: StartMode = committedOffsets('earliest'),
    topic: string | readonly string[] | RegExp = input,
  ) => [
    fromKafka(context, { topic, groupId: `${name}-group`, startFrom }).pipe(
      toKafkaTransactional(context, { topic: results }),
    ),
  ]
  const seen = async (): Promise<readonly string[]> => [...(await world.readValues(results, 3))].sort()

  it('copies each record once, and goes on behind its last commit when it is started again', async () => {
    for (const partition of [0, 1, 2])
      await world.appendTexts(input, partition, [`a${String(partition)}`, `b${String(partition)}`])
    expect((await start(copy).finished).records).toBe(6)
    expect((await start(copy).finished).records).toBe(0)
    await world.appendTexts(input, 1, ['c1'])
    expect((await start(copy).finished).records).toBe(1)
    expect(await seen()).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'c1'])
  })

  it('carries key, headers, timestamp and the murmur2 partition of the key', async () => {
    const headers = [
      ['x', Buffer.from('1')],
      ['x', null],
      ['10', Buffer.from('a')],
      ['9', Buffer.alloc(0)],
    ] as const
    await world.append([output(input, 'v', { key: Buffer.from('foobar'), headers, timestamp: 0 })])
    await start(copy).finished
    // murmur2('foobar') without its sign is 1357151166, which is 0 modulo 3.
    const [record] = await world.readAll(results, 1357151166 % 3)
    expect(record).toMatchObject({ timestamp: 0, headers })
    expect(record?.key?.toString()).toBe('foobar')
  })

  it('sends what its output topic has no partition for to the dead letters, and goes on', async () => {
    const dead = await world.createTopic(uniqueName('dead'), 1)
    const chosen = await world.createTopic(uniqueName('chosen'), 2)
    await world.appendTexts(input, 0, ['9', '1'])
    const routed = (context: PipelineContext, topic: string | (() => string)) => {
      const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
      const source$ = fromKafka(context, { topic: input, groupId: `${name}-group` })
      const partition = ({ value }: Sinkable) => Number(value?.toString())
      return [
        source$.pipe(toKafkaTransactional(context, { topic, partition, onError: deadLetters })),
        deadLetters.records$.pipe(toKafkaTransactional(context, { topic: dead })),
      ]
    }
    const refused = async () =>
      (await world.readAll(dead, 0)).map(({ raw }) => JSON.parse(raw?.toString() ?? '') as unknown)
    await start((context) => routed(context, results)).finished
    expect(await world.readValues(results, 3)).toEqual(['1'])
    expect(await refused()).toMatchObject([
      { originalMessage: '9', error: expect.stringContaining('has no partition 9') },
    ])
    // A topic that is chosen per record becomes known with the first one.
    await world.appendTexts(input, 0, ['2', '0'])
    await start((context) => routed(context, () => chosen)).finished
    expect(await world.readValues(chosen, 2)).toEqual(['0'])
    expect(await refused()).toMatchObject([{ originalMessage: '9' }, { originalMessage: '2' }])
  })

  describe('starts', () => {
    beforeEach(async () => {
      for (const partition of [0, 1, 2]) {
        await world.append(
          ['a', 'b', 'c'].map((value, n) =>
            output(input, `${value}${String(partition)}`, { partition, timestamp: 1_000 * (n + 1) }),
          ),
        )
      }
    })
    const startedFrom = async (mode: StartMode): Promise<readonly string[]> => {
      await start((context) => copy(context, mode)).finished
      return seen()
    }

    it('at earliest', async () => {
      expect(await startedFrom(earliest)).toHaveLength(9)
    })

    it('at latest, and what comes before its first epoch is not skipped by a restart', async () => {
      expect(await startedFrom(latest)).toEqual([])
      await world.appendTexts(input, 2, ['d2'])
      expect(await startedFrom(latest)).toEqual(['d2'])
    })

    it('at a time', async () => {
      expect(await startedFrom({ kind: 'timestamp', timestampMs: 2_500 })).toEqual(['c0', 'c1', 'c2'])
    })

    it('at offsets by partition, and at earliest where none is given', async () => {
      const offsets = new Map([
        [0, 2],
        [2, 3],
      ])
      expect(await startedFrom({ kind: 'offsets', offsets })).toEqual(['a1', 'b1', 'c0', 'c1'])
    })

    it('from committed offsets only where there are some', async () => {
      await expect(startedFrom(committedOffsets())).rejects.toMatchObject({ code: 'no-committed-offset' })
      await startedFrom(latest)
      await world.appendTexts(input, 0, ['d0'])
      expect(await startedFrom(committedOffsets())).toEqual(['d0'])
    })

    it('anew with a reset, in a new lineage', async () => {
      await startedFrom(earliest)
      await start(copy, { reset: earliest }).finished
      expect(await seen()).toHaveLength(18)
    })
  })

  describe('topics', () => {
    it('of a list with different partition counts are all read', async () => {
      const narrow = await world.createTopic(uniqueName('narrow'), 1)
      await world.appendTexts(input, 2, ['wide'])
      await world.appendTexts(narrow, 0, ['narrow'])
      await start((context) => copy(context, earliest, [input, narrow])).finished
      expect(await seen()).toEqual(['narrow', 'wide'])
    })

    it('of a pattern are read, and a new one is discovered and read from its beginning', async () => {
      const prefix = uniqueName('family')
      const first = await world.createTopic(`${prefix}-a`, 1)
      await world.appendTexts(first, 0, ['first'])
      start((context) => copy(context, latest, new RegExp(`^${prefix}-`)), { follow: true })
      await until('the job runs', async () => {
        await world.appendTexts(first, 0, ['tick'])
        return (await seen()).includes('tick')
      })
      const second = await world.createTopic(`${prefix}-b`, 2)
      await world.appendTexts(second, 0, ['second 0'])
      await world.appendTexts(second, 1, ['second 1'])
      await until(
        'the new topic is read',
        async () => (await seen()).filter((value) => value.startsWith('second')).length === 2,
      )
      expect(await seen()).toEqual(expect.arrayContaining(['second 0', 'second 1']))
    })

    it('of a pattern are all read by a bounded run, also where one begins to match in its middle', async () => {
      const prefix = uniqueName('family')
      const first = await world.createTopic(`${prefix}-a`, 2)
      const values = Array.from({ length: 40 }, (_, n) => `first ${String(n).padStart(2, '0')}`)
      await world.appendTexts(first, 0, values.slice(0, 20))
      await world.appendTexts(first, 1, values.slice(20))
      const config = testConfig(servers.kafka(), { discoveryIntervalMs: 200, heartbeatIntervalMs: 100 })
      const slow = (context: PipelineContext) => [
        fromKafka(context, { topic: new RegExp(`^${prefix}-`), groupId: `${name}-group` }).pipe(
          concatMap(async (record) => {
            await wait(100)
            return record
          }),
          toKafkaTransactional(context, { topic: results }),
        ),
      ]
      // One record an epoch, so that a task is in its middle for two seconds.
      const job = start(slow, { config, epochBytes: 1 })
      await until('the run is in its middle', async () => (await seen()).length > 4)
      const second = await world.createTopic(`${prefix}-b`, 3)
      await world.appendTexts(second, 2, ['second'])
      const result = await job.finished
      expect(result.outcome).toBe('completed')
      const found = await seen()
      expect(found.filter((value) => value.startsWith('first'))).toEqual(values)
      expect(result.records).toBe(found.length)
    })

    it('grow while a stateless job runs', async () => {
      start(copy, { follow: true })
      await world.appendTexts(input, 0, ['before'])
      await until('the job runs', async () => (await seen()).length === 1)
      await world.grow(input, 5)
      await world.appendTexts(input, 4, ['after'])
      await until('the new partition is read', async () => (await seen()).length === 2)
      expect(await seen()).toEqual(['after', 'before'])
    })

    it.each(['the input', 'the output', 'a pattern'])('that are missing stop the start by name: %s', async (what) => {
      const missing = uniqueName('missing')
      const job = start((context) => {
        const topic = what === 'the input' ? missing : what === 'a pattern' ? new RegExp(`^${missing}`) : input
        const sink = what === 'the output' ? missing : results
        return [
          fromKafka(context, { topic, groupId: `${name}-group` }).pipe(toKafkaTransactional(context, { topic: sink })),
        ]
      })
      await expect(job.finished).rejects.toMatchObject({
        code: 'unknown-topic',
        message: expect.stringMatching(new RegExp(`${missing}.*topic create`)),
      })
    })
  })

  describe('with state', () => {
    const counting = (context: PipelineContext) => [
      fromKafka(context, { topic: input, groupId: `${name}-group` }).pipe(
        mapWithState<Buffer | null, number, number>(context, {
          uid: 'count',
          initial: () => 0,
          update: (n) => ({ state: n + 1, output: n + 1 }),
        }),
        map((record) => record.withValue(`${record.key?.toString() ?? ''}=${String(record.value)}`)),
        toKafkaTransactional(context, { topic: results }),
      ),
    ]

    it('a process without any local state takes it from the changelog', async () => {
      await world.appendTexts(input, 0, ['x', 'y', 'x'])
      await start(counting).finished
      await world.appendTexts(input, 0, ['x'])
      await start(counting).finished
      expect(await seen()).toEqual(['x=1', 'x=2', 'x=3', 'y=1'])
    })

    it('a reset begins with empty state', async () => {
      await world.appendTexts(input, 0, ['x', 'x'])
      await start(counting).finished
      await start(counting, { reset: earliest }).finished
      expect(await seen()).toEqual(['x=1', 'x=1', 'x=2', 'x=2'])
    })

    it('partitions that grow stop it, while it runs and at its next start', async () => {
      await world.appendTexts(input, 0, ['x'])
      const job = start(counting, { follow: true })
      await until('the job runs', async () => (await seen()).length === 1)
      await world.grow(input, 4)
      await expect(job.finished).rejects.toMatchObject({
        code: 'partitions-changed',
        message: expect.stringContaining(input),
      })
      await expect(start(counting).finished).rejects.toMatchObject({ code: 'partitions-changed' })
    })

    it('offsets that expire are resumed from the changelog, with the state', async () => {
      await world.appendTexts(input, 0, ['x'])
      await start(counting).finished
      await world.deleteGroup(`${name}-group`)
      await world.appendTexts(input, 0, ['x'])
      await start(counting).finished
      expect(await seen()).toEqual(['x=1', 'x=2'])
    })
  })

  it('records that retention removed before they were read stop the job by name', async () => {
    await world.appendTexts(input, 0, ['a', 'b', 'c'])
    await start(copy).finished
    await world.appendTexts(input, 0, ['d', 'e'])
    await world.deleteRecords(input, 0, 4)
    await expect(start(copy).finished).rejects.toMatchObject({
      code: 'data-removed',
      message: expect.stringContaining(`${input} 0@3`),
    })
    expect(await seen()).toEqual(['a', 'b', 'c'])
  })

  describe('the consumer group', () => {
    it('of another job is refused, and that job goes on', async () => {
      const first = start(copy, { follow: true })
      await world.appendTexts(input, 0, ['a'])
      await until('the first job runs', async () => (await seen()).length === 1)
      expect(await world.describeGroup(`${name}-group`)).toMatchObject({
        state: 'Stable',
        members: [{ clientId: 'tidemark-test', job: name }],
      })
      const other = startKafkaJob(copy, { name: uniqueName('other'), config: testConfig(servers.kafka()) })
      await expect(other.finished).rejects.toMatchObject({
        code: 'invalid-plan',
        message: expect.stringContaining(`in use by job '${name}'`),
      })
      await world.appendTexts(input, 0, ['b'])
      await until('the first job goes on', async () => (await seen()).length === 2)
      first.stop()
      await expect(first.finished).resolves.toMatchObject({ outcome: 'stopped' })
    })

    it('with members that are no jobs is refused', async () => {
      const kafka = new Kafka({ brokers: [servers.kafka()], logLevel: logLevel.NOTHING })
      const consumer = kafka.consumer({ groupId: `${name}-group` })
      await consumer.connect()
      await consumer.subscribe({ topic: input })
      const joined = new Promise((resolve) => {
        consumer.on('consumer.group_join', resolve)
      })
      await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() })
      await joined
      await expect(start(copy).finished).rejects.toMatchObject({
        code: 'invalid-plan',
        message: expect.stringContaining('no Tidemark jobs'),
      })
      await consumer.disconnect()
    })

    it('offsets are committed in it for standard tools, which see no lag', async () => {
      await world.appendTexts(input, 1, ['a', 'b'])
      await start(copy).finished
      const offsets = await world.groupOffsets(`${name}-group`, input)
      expect(offsets).toEqual([0, 2, 0])
    })
  })

  it('warns of nothing on brokers that are new enough', async () => {
    const logger = new TestLog()
    await start(copy, { logger }).finished
    expect(logger.lines.filter(({ level }) => level !== 'info')).toEqual([])
  })
})
