import { map } from 'rxjs'
import { beforeEach, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapWithState } from '../../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { PipelineContext } from '../../../src/core/context.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import { openKafkaJobLog } from '../../../src/connectors/kafka/log/kafkaJobLog.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { startKafkaTool } from '../../servers/kafkaTool.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { TestLog, startKafkaJob, until, type KafkaJobOptions } from './kafkaJob.ts'
import { kafkaJobs } from './kafkaJobs.ts'
import { KafkaWorld, testConfig, uniqueName } from './kafkaWorld.ts'

const partitions = 4

describeWithServers('several processes of a job', ['kafka'], (servers) => {
  const jobs = kafkaJobs(servers)
  let world: KafkaWorld
  let name: string
  let input: string
  let results: string

  beforeEach(async () => {
    world = jobs.world
    name = jobs.name
    input = await world.createTopic(uniqueName('input'), partitions)
    results = await world.createTopic(uniqueName('results'), partitions)
  })

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
  const start = (logger: TestLog, options: Partial<KafkaJobOptions> = {}): RunningJob => {
    return jobs.start(counting, { follow: true, logger, ...options })
  }
  const tasksOf = (logger: TestLog): string =>
    String(logger.lines.findLast(({ message }) => message === 'Joined the consumer group')?.fields['tasks'])

  it('join one after the other and leave under load: nothing is lost or doubled, counts go on where they were, and no epoch is replayed', async () => {
    const keys = Array.from({ length: 8 }, (_, n) => `key-${String(n)}`)
    const rounds = 60
    const writing = (async () => {
      for (let round = 0; round < rounds; round += 1) {
        for (const [n, key] of keys.entries()) await world.appendTexts(input, n % partitions, [key])
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    })()
    const logs = [new TestLog(), new TestLog(), new TestLog()] as const
    const first = start(logs[0])
    await until('the first one has all tasks', () => tasksOf(logs[0]) === '0,1,2,3')
    const second = start(logs[1])
    await until('two share', () => tasksOf(logs[0]) === '0,1' && tasksOf(logs[1]) === '2,3')
    const third = start(logs[2])
    await until('three share', () => tasksOf(logs[0]) === '0,1' && tasksOf(logs[1]) === '2' && tasksOf(logs[2]) === '3')
    await new Promise((resolve) => setTimeout(resolve, 500))
    first.stop()
    await first.finished
    await until('the others take over', () => tasksOf(logs[1]).length === 3 && tasksOf(logs[2]).length === 3)
    await writing
    const expected = keys.flatMap((key) => Array.from({ length: rounds }, (_, n) => `${key}=${String(n + 1)}`)).sort()
    await until(
      'everything is counted',
      async () => (await world.readValues(results, partitions)).length >= expected.length,
    )
    expect([...(await world.readValues(results, partitions))].sort()).toEqual(expected)
    for (const job of [first, second, third]) {
      job.stop()
      expect((await job.finished).aborted).toBe(0)
    }
  }, 60_000)

  it('keep their tasks over a rebalance without taking them over again', async () => {
    const logger = new TestLog()
    start(logger)
    await world.appendTexts(input, 0, ['x'])
    await until('the first one runs', async () => (await world.readValues(results, partitions)).length === 1)
    const id = await world.transactionalProducer(`${name}-source-0`)
    const other = new TestLog()
    const second = start(other)
    await until('two share', () => tasksOf(other) === '2,3')
    await world.appendTexts(input, 0, ['x'])
    await until('the task goes on', async () => (await world.readValues(results, partitions)).length === 2)
    expect(await world.transactionalProducer(`${name}-source-0`)).toEqual(id)
    second.stop()
    await second.finished
  })

  it('that are stopped while they join leave at once, however long the others take', async () => {
    const config = testConfig(servers.kafka())
    const inputs = [{ kind: 'topics', topics: [input] }] as const
    const spec = { job: name, group: 'source', groupId: `${name}-group`, inputs, outputs: [], copartitioned: true }
    const slow = await openKafkaJobLog(
      config,
      { ...spec, transactionalIdPrefix: name },
      { clock: systemClock, log: silentLogger },
    )
    try {
      await slow.join({
        assigned: () => undefined,
        rebalancing: () => new Promise(() => undefined),
        revoked: () => Promise.resolve(),
        failed: () => undefined,
      })
      const second = start(new TestLog())
      await until('it joins', async () => (await world.describeGroup(`${name}-group`)).state === 'PreparingRebalance')
      const stoppedAt = Date.now()
      second.stop()
      expect((await second.finished).outcome).toBe('stopped')
      // The others may take half of the rebalance timeout.
      expect(Date.now() - stoppedAt).toBeLessThan(config.rebalanceTimeoutMs / 4)
      expect((await world.describeGroup(`${name}-group`)).members).toHaveLength(1)
    } finally {
      await slow.leave()
    }
  })

  it('recover a task whose identity was taken away, if the group still gives it to them, and count no failure', async () => {
    const logger = new TestLog()
    start(logger, { intervalMs: 3_000 })
    await world.appendTexts(input, 0, ['x'])
    await until('it has the task', () => tasksOf(logger) === '0,1,2,3')
    // Somebody else owns the transactional id, as a new owner does that the group has named behind the process's back.
    await world.fence(`${name}-source-0`)
    await until('it goes on with what is its own', async () =>
      (await world.readValues(results, partitions)).includes('x=1'),
    )
    expect(await world.readValues(results, partitions)).toEqual(['x=1'])
  })
})

describeWithServers('a consumer group of the new protocol', ['kafka', 'java'], (servers) => {
  it('is refused, naming its kind', async () => {
    const world = new KafkaWorld(servers.kafka())
    const name = uniqueName('job')
    const input = await world.createTopic(uniqueName('input'), 1)
    const consumer = await startKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      '--bootstrap-server',
      servers.kafka(),
      '--topic',
      input,
      '--group',
      `${name}-group`,
      '--from-beginning',
      '--consumer-property',
      'group.protocol=consumer',
    ])
    try {
      await world.appendTexts(input, 0, ['x'])
      await new Promise((resolve) => consumer.stdout.once('data', resolve))
      const job = startKafkaJob((context) => [fromKafka(context, { topic: input, groupId: `${name}-group` })], {
        name,
        config: testConfig(servers.kafka()),
      })
      await expect(job.finished).rejects.toMatchObject({
        code: 'invalid-plan',
        message: expect.stringContaining('is a consumer group, and a job needs a classic'),
      })
    } finally {
      consumer.kill('SIGKILL')
      await world.close()
    }
  }, 60_000)
})
