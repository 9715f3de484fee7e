import { map } from 'rxjs'
import { beforeEach, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { setting } from '../../../src/core/setting.ts'
import { text } from '../../../src/core/settingCodecs.ts'
import { earliest } from '../../../src/core/startMode.ts'
import { defineJob } from '../../../src/runtime/plan/defineJob.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import { runnableJob } from '../../../src/runtime/plan/runnableJob.ts'
import { testSettings } from '../../../src/testing/kit/testEnvironment.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { until, type KafkaJobOptions } from './kafkaJob.ts'
import { kafkaJobs } from './kafkaJobs.ts'
import { type KafkaWorld, uniqueName } from './kafkaWorld.ts'

const partitions = 2

describeWithServers('deployments of one job file', ['kafka'], (servers) => {
  const jobs = kafkaJobs(servers)
  let world: KafkaWorld
  let name: string

  beforeEach(() => {
    world = jobs.world
    name = jobs.name
  })

  /** The file; everything that a deployment has of its own is a setting, or follows from its name. */
  const file = () =>
    defineJob({
      name,
      settings: {
        'copy.input': setting(text, { meaning: 'Topic that is read.', example: 'in' }),
        'copy.output': setting(text, { meaning: 'Topic that is written.', example: 'out' }),
        'copy.group': setting(text, { defaultFor: (job) => `${job}-group`, meaning: 'Group.', example: 'g' }),
        'copy.prefix': setting(text, { defaultFor: (job) => `${job}-tx`, meaning: 'Prefix.', example: 'p' }),
      },
      pipeline: (context) =>
        fromKafka(context, {
          topic: context.settings['copy.input'].split(','),
          groupId: context.settings['copy.group'],
          startFrom: earliest,
        }).pipe(
          map((record) => record.withValue(record.value)),
          toKafkaTransactional(context, {
            topic: context.settings['copy.output'],
            transactionalIdPrefix: context.settings['copy.prefix'],
          }),
        ),
    })

  function start(flags: Readonly<Record<string, string>>, options: Partial<KafkaJobOptions> = {}): RunningJob {
    const { pipeline, settings, name: deployed } = runnableJob(file(), testSettings(file(), flags, true))
    return jobs.start(pipeline, { name: deployed, settings, ...options })
  }
  const run = async (
    flags: Readonly<Record<string, string>>,
    options: Partial<KafkaJobOptions> = {},
  ): Promise<void> => {
    await start(flags, options).finished
  }
  const topics = async (): Promise<{ readonly 'copy.input': string; readonly 'copy.output': string }> => ({
    'copy.input': await world.createTopic(uniqueName('input'), partitions),
    'copy.output': await world.createTopic(uniqueName('output'), partitions),
  })
  const results = async (flags: { readonly 'copy.output': string }): Promise<readonly string[]> =>
    [...(await world.readValues(flags['copy.output'], partitions))].toSorted()

  it('under two names run side by side, stop and go on: nothing is lost, nothing doubled', async () => {
    const plain = await topics()
    const named = { ...(await topics()), 'job.name': `${name}-eu` }
    const deployments = [plain, named] as const
    const written: string[] = []
    const write = async (round: number): Promise<void> => {
      const values = Array.from({ length: 40 }, (_, n) => `${String(round)}-${String(n)}`)
      written.push(...values)
      for (const { 'copy.input': input } of deployments) {
        for (const [n, value] of values.entries()) await world.appendTexts(input, n % partitions, [value])
      }
    }
    for (let round = 0; round < 3; round += 1) {
      const deployed = deployments.map((flags) => start(flags, { follow: true }))
      await write(round)
      for (const flags of deployments) {
        await until('everything is there', async () => (await results(flags)).length >= written.length)
      }
      for (const job of deployed) {
        job.stop()
        expect(await job.finished).toMatchObject({ aborted: 0 })
      }
    }
    for (const flags of deployments) expect(await results(flags)).toEqual(written.toSorted())
    expect(await world.highWatermark(`${name}-source-changelog`, 0)).toBeGreaterThan(0)
    expect(await world.highWatermark(`${name}-eu-source-changelog`, 0)).toBeGreaterThan(0)
  }, 60_000)

  it('under one name, the second is refused before any fence or write, with what ran and both remedies; a reset takes the name', async () => {
    const first = await topics()
    await world.appendTexts(first['copy.input'], 0, ['a', 'b'])
    await run(first)
    const second = { ...(await topics()), 'copy.group': `${name}-second` }
    await world.appendTexts(second['copy.input'], 0, ['x'])
    const id = await world.transactionalProducer(`${name}-tx-source-0`)
    const end = await world.highWatermark(`${name}-source-changelog`, 0)
    for (const other of [second, { ...second, 'copy.group': `${name}-group` }]) {
      await expect(start(other).finished).rejects.toMatchObject({
        code: 'job-name-in-use',
        message: expect.stringMatching(
          new RegExp(
            `'${name}' has run before as consumer group ${name}-group on ${first['copy.input']}, and this deployment is group ${other['copy.group']} on ${second['copy.input']}.*--job\\.name.*--reset-offsets`,
          ),
        ),
      })
    }
    expect(await world.transactionalProducer(`${name}-tx-source-0`)).toEqual(id)
    expect(await world.highWatermark(`${name}-source-changelog`, 0)).toBe(end)
    await run({ ...first, 'copy.input': `${first['copy.input']},${second['copy.input']}` })
    expect(await results(first)).toEqual(['a', 'b', 'x'])

    await run(second, { reset: earliest })
    await run(second)
    expect(await results(second)).toEqual(['x'])
    await expect(start(first).finished).rejects.toMatchObject({
      code: 'job-name-in-use',
      message: expect.stringContaining(`has run before as consumer group ${name}-second on ${second['copy.input']}`),
    })
  }, 60_000)

  it('lock out the transactional ids of an earlier prefix, also when the offsets that named it have expired', async () => {
    const first = await topics()
    await world.appendTexts(first['copy.input'], 0, ['a'])
    await run({ ...first, 'copy.prefix': `${name}-old` })
    const zombie = await world.transactionalProducer(`${name}-old-source-0`)
    await world.deleteGroup(`${name}-group`)
    await world.appendTexts(first['copy.input'], 0, ['b'])
    await run(first)
    expect(await results(first)).toEqual(['a', 'b'])
    // A higher epoch: whoever still works with the id is refused.
    expect(await world.transactionalProducer(`${name}-old-source-0`)).not.toEqual(zombie)
  }, 60_000)
})
