import { describe, expect, test } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { PipelineContext } from '../../../src/core/context.ts'
import { decodeCommitMetadata } from '../../../src/core/commitMetadata.ts'
import { earliest } from '../../../src/core/startMode.ts'
import type { CommitMetadata } from '../../../src/core/ports/task.ts'
import { leaveBehind } from '../../../src/runtime/task/changedInputs.ts'
import type { JobEnvironment } from '../../../src/runtime/job/jobEnvironment.ts'
import { TestLog } from '../../connectors/kafka/kafkaJob.ts'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'
import { MemoryJob, type MemoryJobOptions } from '../../support/memoryJob.ts'

const reading = (topic: readonly string[] | RegExp) => (context: PipelineContext) => [
  fromKafka(context, { topic, groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' })),
]
const listed = reading(['a', 'b'])
const family = reading(/^[abc]$/)

/** A job that has read topics `a` and `b`. */
async function begun(pipeline: typeof listed): Promise<{ job: MemoryJob; logger: TestLog; options: MemoryJobOptions }> {
  const job = new MemoryJob()
  const logger = new TestLog()
  const options = { environment: (world: JobEnvironment) => ({ ...world, log: logger }) }
  job.write('a', ['a0'])
  job.write('b', ['b0'])
  await job.run(pipeline, options)
  job.write('a', ['a1'])
  return { job, logger, options }
}
const told = ({ lines }: TestLog): readonly unknown[] =>
  lines.filter(({ message }) => message.startsWith('An input is dropped')).map(({ fields }) => fields['topic'])
const metadataOf = (job: MemoryJob): CommitMetadata => {
  const task = { groupId: 'group', partition: 0 }
  return decodeCommitMetadata(job.log.committed(task, 'a')?.metadata ?? '')
}

describe('an input that is there no more', () => {
  test('of a pattern: the job goes on with the others, says so once, and counts them from then on', async () => {
    const { job, logger, options } = await begun(family)
    job.log.deleteTopic('b')
    await job.run(family, options)
    expect(job.read('output')).toEqual(['a0', 'b0', 'a1'])
    expect(told(logger)).toEqual(['b'])
    expect(metadataOf(job)).toMatchObject({ inputs: 1, partitionCounts: { a: 1 } })
    expect(metadataOf(job).partitionCounts).not.toHaveProperty('b')
    job.write('a', ['a2'])
    await job.run(family, options)
    expect(told(logger)).toEqual(['b'])
  })

  test('of a pattern, and back later: it is a new input, read from its beginning', async () => {
    const { job, options } = await begun(family)
    job.log.deleteTopic('b')
    await job.run(family, options)
    job.write('b', ['again'])
    await job.run(family, options)
    expect(job.read('output')).toEqual(['a0', 'b0', 'a1', 'again'])
  })

  test('of a pattern, and back before anything else was committed: it is a new input all the same', async () => {
    const { job, options } = await begun(family)
    job.log.deleteTopic('b')
    job.write('b', ['again 0', 'again 1'])
    await job.run(family, options)
    expect(job.read('output').map(String).sort()).toEqual(['a0', 'a1', 'again 0', 'again 1', 'b0'])
  })

  test('of a pattern, and back while an epoch was under way, which commits the old offset: it is a new input', async () => {
    const { job, options } = await begun(family)
    const committed = job.log.committed({ groupId: 'group', partition: 0 }, 'b')
    job.log.deleteTopic('b')
    job.write('b', ['again 0', 'again 1'])
    job.log.setOffset('group', 'b', 0, committed ?? null)
    await job.run(family, options)
    expect(job.read('output').map(String).sort()).toEqual(['a0', 'a1', 'again 0', 'again 1', 'b0'])
  })

  test('of a pattern, and back when the tasks were dealt out without it: it is dropped until it is dealt out', async () => {
    const dropped: string[] = []
    await leaveBehind(['b'], {
      inputs: { exists: () => Promise.resolve(true) },
      selections: [{ kind: 'pattern', pattern: /^[abc]$/ }],
      dropInputs: new Set(),
      dropped: (topic, why) => dropped.push(`${topic}: ${why}`),
    })
    expect(dropped).toEqual([expect.stringContaining('b: the topic was deleted, and another one that has its name')])
  })

  test('of a list, and back with fewer partitions: the job stops by name', async () => {
    const left = leaveBehind(['b'], {
      inputs: { exists: () => Promise.resolve(true) },
      selections: [{ kind: 'topics', topics: ['a', 'b'] }],
      dropInputs: new Set(),
      dropped: () => undefined,
    })
    await expect(left).rejects.toMatchObject({ code: 'topic-recreated' })
  })

  test('of a pattern, where every input has another id: the cluster was copied, and the job stops', async () => {
    const { job, options } = await begun(family)
    for (const topic of ['a', 'b']) {
      job.log.deleteTopic(topic)
      job.write(topic, ['copied 0', 'copied 1'])
    }
    await expect(job.run(family, options)).rejects.toMatchObject({ code: 'topic-recreated' })
  })

  test('of a list: the job stops, names it and the remedy, which lets it go on', async () => {
    const { job, logger, options } = await begun(listed)
    job.log.deleteTopic('b')
    await expect(job.run(listed, options)).rejects.toMatchObject({ code: 'unknown-topic' })
    await job.run(listed, { ...options, dropInputs: ['b'] })
    expect(job.read('output')).toEqual(['a0', 'b0', 'a1'])
    expect(told(logger)).toEqual(['b'])
    job.write('a', ['a2'])
    await job.run(reading(['a']), options)
    expect(job.read('output')).toEqual(['a0', 'b0', 'a1', 'a2'])
  })
})

describe('an input that the job reads no more', () => {
  test('taken out of a list stops the job by name, and goes where --drop-input says so', async () => {
    const { job, options } = await begun(listed)
    const narrow = reading(['a'])
    await expect(job.run(narrow, options)).rejects.toMatchObject({
      code: 'input-removed',
      kind: 'configuration',
      message: expect.stringContaining('--drop-input b'),
    })
    await expect(job.run(narrow, { ...options, dropInputs: ['c'] })).rejects.toMatchObject({ code: 'input-removed' })
    await job.run(narrow, { ...options, dropInputs: ['b'] })
    await job.run(narrow, options)
    expect(job.read('output')).toEqual(['a0', 'b0', 'a1'])
  })

  test('with a pattern that matches it no more is dropped, and goes on where it was when it is back', async () => {
    const { job, logger, options } = await begun(family)
    job.write('b', ['b1'])
    await job.run(reading(/^[ac]$/), options)
    expect(told(logger)).toEqual(['b'])
    await job.run(family, options)
    expect(job.read('output')).toEqual(['a0', 'b0', 'a1', 'b1'])
    expect(metadataOf(job).inputs).toBe(2)
  })

  test('with a pattern that matches it no more, and back after a reset: the reset has begun without it, so it is new', async () => {
    const { job } = await begun(family)
    let seed = 1
    // Each process has random numbers of its own.
    const environment = (world: JobEnvironment): JobEnvironment => ({ ...world, random: seededRandom((seed += 1)) })
    await job.run(reading(/^[ac]$/), { environment })
    await job.run(reading(/^[ac]$/), { environment, reset: earliest })
    await job.run(family, { environment })
    expect(job.read('output')).toEqual(['a0', 'b0', 'a1', 'a0', 'a1', 'b0'])
    job.write('b', ['b1'])
    await job.run(family, { environment })
    expect(job.read('output').at(-1)).toBe('b1')
  })

  test('is not confused with lost offsets: those of an input that is read are filled in from the changelog', async () => {
    const { job, options } = await begun(listed)
    job.log.setOffset('group', 'b', 0, null)
    job.write('b', ['b1'])
    await job.run(listed, options)
    expect(job.read('output').map(String).sort()).toEqual(['a0', 'a1', 'b0', 'b1'])
  })
})

test('a topic that was made anew is read from its beginning where its old position is given up', async () => {
  const { job, options } = await begun(listed)
  job.log.deleteTopic('b')
  job.write('b', ['new 0', 'new 1'])
  await expect(job.run(listed, options)).rejects.toMatchObject({
    code: 'topic-recreated',
    message: expect.stringContaining('--drop-input b'),
  })
  await job.run(listed, { ...options, dropInputs: ['b'] })
  expect(job.read('output').map(String).sort()).toEqual(['a0', 'a1', 'b0', 'new 0', 'new 1'])
})
