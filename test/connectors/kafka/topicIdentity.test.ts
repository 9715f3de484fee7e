import { beforeEach, describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { mergeMap, type Observable } from 'rxjs'
import type { PipelineContext } from '../../../src/core/context.ts'
import { earliest } from '../../../src/core/startMode.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { until, type KafkaJobOptions } from './kafkaJob.ts'
import { kafkaJobs } from './kafkaJobs.ts'
import { type KafkaWorld, uniqueName } from './kafkaWorld.ts'

describeWithServers('a topic that is deleted and made anew', ['kafka'], (servers) => {
  const jobs = kafkaJobs(servers)
  let world: KafkaWorld
  let name: string
  let input: string
  let results: string
  /** Records wait here until it is resolved. */
  let gate: Promise<void>

  beforeEach(async () => {
    world = jobs.world
    gate = Promise.resolve()
    name = jobs.name
    input = await world.createTopic(uniqueName('input'), 1)
    results = await world.createTopic(uniqueName('results'), 1)
  })

  const start = (options: Partial<KafkaJobOptions> = {}): RunningJob => {
    const pipeline = (context: PipelineContext): readonly Observable<unknown>[] => [
      fromKafka(context, { topic: input, groupId: `${name}-group` }).pipe(
        mergeMap(async (record) => {
          await gate
          return record
        }),
        toKafkaTransactional(context, { topic: results }),
      ),
    ]
    return jobs.start(pipeline, options)
  }
  const numbered = (word: string, count: number): readonly string[] =>
    Array.from({ length: count }, (_, n) => `${word} ${String(n)}`)
  const seen = (): Promise<readonly string[]> => world.readValues(results, 1)
  const makeAnew = async (values: readonly string[]): Promise<void> => {
    await world.deleteTopic(input)
    await world.createTopic(input, 1)
    await world.appendTexts(input, 0, values)
  }

  it('stops the job by name while it reads, and none of the new records is taken for an old one', async () => {
    await world.appendTexts(input, 0, numbered('old', 10))
    const job = start({ follow: true })
    await until('the job has read', async () => (await seen()).length === 10)
    await makeAnew(numbered('new', 15))
    await expect(job.finished).rejects.toMatchObject({
      code: 'topic-recreated',
      message: expect.stringContaining(`--accept-topic ${input}`),
    })
    expect(await seen()).toEqual(numbered('old', 10))
  })

  it('stops the job by name while its input is paused', async () => {
    await world.appendTexts(input, 0, numbered('old', 10))
    let open = (): void => undefined
    gate = new Promise((resolve) => {
      open = resolve
    })
    const job = start({ follow: true, intervalMs: 1_000 })
    await until('the job is in an epoch', () => job.metrics.tasks.some(({ epochRecords }) => epochRecords > 0))
    await makeAnew(numbered('new', 15))
    open()
    await expect(job.finished).rejects.toMatchObject({ code: 'topic-recreated' })
    expect((await seen()).filter((value) => value.startsWith('new'))).toEqual([])
  })

  describe('while the job is down, with its offsets in place (a cluster that was copied)', () => {
    const restoreOffset = async (): Promise<void> => {
      const [committed] = await world.groupTexts(`${name}-group`, input)
      await makeAnew(numbered('new', 15))
      await world.commitOffset(`${name}-group`, input, 0, committed ?? { offset: -1, metadata: '' })
    }
    beforeEach(async () => {
      await world.appendTexts(input, 0, numbered('old', 10))
      await start().finished
      await restoreOffset()
    })

    it('stops by name, also where it is longer than what was read', async () => {
      await expect(start().finished).rejects.toMatchObject({ code: 'topic-recreated' })
      expect(await seen()).toEqual(numbered('old', 10))
    })

    it('goes on at the committed offset when it is accepted, and is then the one that is meant', async () => {
      await start({ acceptTopics: [input] }).finished
      expect(await seen()).toEqual([...numbered('old', 10), ...numbered('new', 15).slice(10)])
      await world.appendTexts(input, 0, ['more'])
      await start().finished
      expect((await seen()).at(-1)).toBe('more')
    })

    it('is read from its beginning with a reset', async () => {
      await start({ reset: earliest }).finished
      expect(await seen()).toEqual([...numbered('old', 10), ...numbered('new', 15)])
    })
  })

  it('goes on from a commit of an earlier version, which has no id, and gives it one', async () => {
    await world.appendTexts(input, 0, ['a'])
    await start().finished
    const [committed] = await world.groupTexts(`${name}-group`, input)
    const { topic, leader, ...earlier } = JSON.parse(committed?.metadata ?? '') as Record<string, unknown>
    expect(topic).toMatch(/^[\w-]{22}$/)
    expect(leader).toBe(0)
    await world.commitOffset(`${name}-group`, input, 0, { offset: 1, metadata: JSON.stringify(earlier) })
    await world.appendTexts(input, 0, ['b'])
    await start().finished
    const [after] = await world.groupTexts(`${name}-group`, input)
    expect(JSON.parse(after?.metadata ?? '')).toMatchObject({ topic })
    expect(await seen()).toEqual(['a', 'b'])
  })
})
