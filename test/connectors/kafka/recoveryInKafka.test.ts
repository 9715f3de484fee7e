import { beforeEach, describe, expect, it } from 'vitest'
import { map } from 'rxjs'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapWithState } from '../../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { openKafkaJobLog, type KafkaJobLog } from '../../../src/connectors/kafka/log/kafkaJobLog.ts'
import { KafkaTopics } from '../../../src/connectors/kafka/topics/kafkaTopics.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { PipelineContext } from '../../../src/core/context.ts'
import { systemRandom } from '../../../src/core/ports/random.ts'
import { committedOffsets, earliest, latest } from '../../../src/core/startMode.ts'
import type { Pipelines } from '../../../src/runtime/plan/defineJob.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import { resetJob } from '../../../src/runtime/job/reset.ts'
import { changelogRecords } from '../../../src/state/changelogRecords.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { TestLog, until, type KafkaJobOptions } from './kafkaJob.ts'
import { kafkaJobs } from './kafkaJobs.ts'
import { type KafkaWorld, testConfig, uniqueName } from './kafkaWorld.ts'

const partitions = 3

describeWithServers('recovery on a real Kafka', ['kafka'], (servers) => {
  const jobs = kafkaJobs(servers)
  let world: KafkaWorld
  let name: string
  let input: string
  let results: string

  beforeEach(async () => {
    world = jobs.world
    name = jobs.name
    input = await world.createTopic(uniqueName('input'), partitions)
    results = await world.createTopic(uniqueName('results'), 1)
  })

  const start = (
    pipeline: (context: PipelineContext) => Pipelines,
    options: Partial<KafkaJobOptions> = {},
  ): RunningJob => {
    return jobs.start(pipeline, options)
  }
  const stop = async (job: RunningJob): Promise<void> => {
    job.stop()
    await job.finished
  }
  const reading =
    (topics: readonly string[]) =>
    (context: PipelineContext): Pipelines =>
      fromKafka(context, { topic: topics, groupId: `${name}-group`, startFrom: committedOffsets('earliest') }).pipe(
        toKafkaTransactional(context, { topic: results, partition: () => 0 }),
      )
  const copy = (context: PipelineContext): Pipelines => reading([input])(context)
  const count = (context: PipelineContext): Pipelines =>
    fromKafka(context, { topic: input, groupId: `${name}-group` }).pipe(
      mapWithState<Buffer | null, number, number>(context, {
        uid: 'count',
        initial: () => 0,
        update: (n) => ({ state: n + 1, output: n + 1 }),
      }),
      map((record) => record.withValue(`${record.key?.toString() ?? ''}=${String(record.value)}`)),
      toKafkaTransactional(context, { topic: results, partition: () => 0 }),
    )
  const seen = async (): Promise<readonly string[]> => [...(await world.readValues(results, 1))].sort()
  const exists = async (topic: string): Promise<boolean> =>
    (await world.cluster.metadata([topic])).topics[0]?.error === 0
  const changelog = (): string => `${name}-source-changelog`

  describe('a reset', () => {
    it('does not concern a partition that is discovered later: its first record is read', async () => {
      await world.appendTexts(input, 0, ['old'])
      start(copy, { follow: true, reset: latest })
      await until('the job runs', async () => {
        await world.appendTexts(input, 0, ['tick'])
        return (await seen()).includes('tick')
      })
      await world.grow(input, partitions + 1)
      await world.appendTexts(input, partitions, ['first'])
      await until('the new partition is read', async () => (await seen()).includes('first'))
      expect(await seen()).not.toContain('old')
    })

    it('moves what another process held once, and what comes back no more', async () => {
      const values = [0, 1, 2].flatMap((partition) => [`a${String(partition)}`, `b${String(partition)}`])
      for (const value of values) await world.appendTexts(input, Number(value.at(1)), [value])
      const first = start(copy, { follow: true })
      await until('the first process has read all', async () => (await seen()).length === 6)
      const second = start(copy, { follow: true, reset: earliest })
      await until('the second process has read its own again', async () => (await seen()).length > 6)
      await stop(first)
      await until('all is read twice', async () => (await seen()).length === 12)
      const third = start(copy, { follow: true })
      await until('the third process is in the group', async () => {
        const { state, members } = await world.describeGroup(`${name}-group`)
        return state === 'Stable' && members.length === 2
      })
      await world.appendTexts(input, 0, ['c0'])
      await stop(second)
      for (const partition of [0, 1, 2]) await world.appendTexts(input, partition, [`d${String(partition)}`])
      await until('the third process reads', async () => (await seen()).filter((value) => value < 'e').length >= 16)
      await stop(third)
      expect(await seen()).toEqual([...values, ...values, 'c0', 'd0', 'd1', 'd2'].sort())
    })

    it('that a process decides while another one has joined moves what that one keeps as well, at once', async () => {
      const values = [0, 1, 2].flatMap((partition) => [`a${String(partition)}`, `b${String(partition)}`])
      for (const value of values) await world.appendTexts(input, Number(value.at(1)), [value])
      start(copy, { follow: true })
      await until('the first process has read all', async () => (await seen()).length === 6)
      start(copy, { follow: true, reset: earliest })
      await until('all is read twice', async () => (await seen()).length >= 12)
      for (const partition of [0, 1, 2]) await world.appendTexts(input, partition, [`d${String(partition)}`])
      await until('both go on', async () => (await seen()).length >= 15)
      expect(await seen()).toEqual([...values, ...values, 'd0', 'd1', 'd2'].sort())
    })

    it('whose process dies before it joins is carried on with by the next start, which makes no topic of its own', async () => {
      await world.appendTexts(input, 1, ['x', 'x'])
      await start(count).finished
      expect(await exists(`${name}-control`)).toBe(false)
      const log = await openLog()
      const logger = new TestLog()
      await resetJob(log, earliest, {
        groupId: `${name}-group`,
        records: changelogRecords,
        clock: systemClock,
        random: systemRandom,
        log: logger,
      })
      await log.leave()
      await start(count).finished
      expect(await seen()).toEqual(['x=1', 'x=1', 'x=2', 'x=2'])
      const topics = new KafkaTopics(testConfig(servers.kafka()), { clock: systemClock, log: new TestLog() })
      const listed = new Set((await topics.listTopics()).map((topic) => topic.name))
      await topics.close()
      expect([`${name}-control`, changelog(), input].map((topic) => listed.has(topic))).toEqual([false, false, true])
      await start(count).finished
      expect(await seen()).toHaveLength(4)
    })

    const openLog = (): Promise<KafkaJobLog> =>
      openKafkaJobLog(
        testConfig(servers.kafka()),
        {
          job: name,
          group: 'source',
          groupId: `${name}-group`,
          inputs: [{ kind: 'topics', topics: [input] }],
          outputs: [results],
          transactionalIdPrefix: name,
          copartitioned: true,
        },
        { clock: systemClock, log: new TestLog() },
      )
  })

  describe('committed offsets that expired', () => {
    it('are taken from the changelog: nothing is lost and nothing doubled', async () => {
      for (const partition of [0, 1]) await world.appendTexts(input, partition, ['x', 'x'])
      await start(count).finished
      await world.deleteGroup(`${name}-group`)
      for (const partition of [0, 1, 2]) await world.appendTexts(input, partition, ['x'])
      const logger = new TestLog()
      await start(count, { logger }).finished
      expect(await seen()).toEqual(['x=1', 'x=1', 'x=1', 'x=2', 'x=2', 'x=3', 'x=3'])
      expect(logger.lines.filter(({ message }) => message.includes('lost committed offsets'))).toHaveLength(3)
      await start(count).finished
      expect(await seen()).toHaveLength(7)
    })

    it('of a job without state are as well, also where only committed offsets would do', async () => {
      await world.appendTexts(input, 2, ['a', 'b'])
      await start(copy).finished
      await world.deleteGroup(`${name}-group`)
      await world.appendTexts(input, 2, ['c'])
      const fromCommitted = (context: PipelineContext): Pipelines =>
        fromKafka(context, { topic: input, groupId: `${name}-group`, startFrom: committedOffsets() }).pipe(
          toKafkaTransactional(context, { topic: results, partition: () => 0 }),
        )
      await start(fromCommitted).finished
      expect(await seen()).toEqual(['a', 'b', 'c'])
    })

    it('of one input are filled in from there', async () => {
      const other = await world.createTopic(uniqueName('other'), 1)
      const both = reading([input, other])
      await world.appendTexts(input, 0, ['a'])
      await world.appendTexts(other, 0, ['b'])
      await start(both).finished
      await world.deleteOffsets(`${name}-group`, other, 0)
      await world.appendTexts(other, 0, ['c'])
      await start(both).finished
      expect(await seen()).toEqual(['a', 'b', 'c'])
    })

    it('but were set by hand since then stop the job by name', async () => {
      await world.appendTexts(input, 0, ['a', 'b'])
      await start(copy).finished
      await world.commitOffset(`${name}-group`, input, 0, { offset: 0, metadata: '' })
      await expect(start(copy).finished).rejects.toMatchObject({
        code: 'commit-metadata-lost',
        message: expect.stringMatching(/did not commit .* 0\).*Remove the group's offsets.* 2\)/) as unknown,
      })
      await world.deleteOffsets(`${name}-group`, input, 0)
      await start(copy).finished
      expect(await seen()).toEqual(['a', 'b'])
    })

    it('and were replaced by another program stop the job by name, and a reset begins over them', async () => {
      await world.appendTexts(input, 0, ['a'])
      await start(copy).finished
      await world.commitOffset(`${name}-group`, input, 0, { offset: 0, metadata: 'by hand' })
      await expect(start(copy).finished).rejects.toMatchObject({ code: 'corrupt-store' })
      await start(copy, { reset: latest }).finished
      await world.appendTexts(input, 0, ['b'])
      await start(copy).finished
      expect(await seen()).toEqual(['a', 'b'])
    })

    it('of an input that was made anew since then stop the job by name', async () => {
      await world.appendTexts(input, 0, ['a', 'b'])
      await start(copy).finished
      await world.deleteGroup(`${name}-group`)
      await world.deleteTopic(input)
      await world.createTopic(input, partitions)
      await world.appendTexts(input, 0, ['c', 'd', 'e'])
      await expect(start(copy).finished).rejects.toMatchObject({ code: 'topic-recreated' })
    })
  })

  it('a changelog whose head was removed stops a process without local state, and a reset begins with none', async () => {
    await world.appendTexts(input, 0, ['x', 'y', 'z'])
    await start(count).finished
    await world.alterTopic(changelog(), { 'cleanup.policy': 'compact,delete' })
    // The new policy takes a moment to reach the leader, which refuses until then.
    await until('the head is removed', () =>
      world.deleteRecords(changelog(), 0, 2).then(
        () => true,
        () => false,
      ),
    )
    await world.alterTopic(changelog(), { 'cleanup.policy': 'compact' })
    await world.appendTexts(input, 0, ['x'])
    await expect(start(count).finished).rejects.toMatchObject({
      code: 'data-removed',
      message: expect.stringMatching(/no lineage record of generation 0.*--reset-offsets/) as unknown,
    })
    expect(await seen()).toHaveLength(3)
    await start(count, { reset: latest }).finished
    await world.appendTexts(input, 0, ['x'])
    await start(count).finished
    expect(await seen()).toHaveLength(4)
  })
})
