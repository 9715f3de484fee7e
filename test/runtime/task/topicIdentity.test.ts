import { describe, expect, test } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { PipelineContext } from '../../../src/core/context.ts'
import { earliest } from '../../../src/core/startMode.ts'
import type { MemoryTaskIdentity } from '../../../src/testing/world/memoryLog.ts'
import { MemoryJob } from '../../support/memoryJob.ts'

const copy = (context: PipelineContext) => [
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' })),
]
const task: MemoryTaskIdentity = { groupId: 'group', partition: 0, transactionalId: '', changelog: '' }

describe('an input topic that was deleted and made anew', () => {
  const old = ['old 0', 'old 1']
  const made = ['new 0', 'new 1', 'new 2']

  /** A job that has read the old topic, and finds the new one with its offsets in place, as after a copy of the cluster. */
  const copied = async (): Promise<MemoryJob> => {
    const job = new MemoryJob()
    job.write('input', old)
    await job.run(copy)
    const committed = job.log.committed(task, 'input')
    job.log.deleteTopic('input')
    job.write('input', made)
    job.log.setOffset('group', 'input', 0, committed ?? null)
    return job
  }

  test('stops the job by name at its start, also where it is longer than what was read', async () => {
    const job = await copied()
    await expect(job.run(copy)).rejects.toMatchObject({ code: 'topic-recreated', kind: 'guard' })
    expect(job.read('output')).toEqual(old)
  })

  test('goes on at the committed offset when it is accepted, and needs no accepting after that', async () => {
    const job = await copied()
    await job.run(copy, { acceptTopics: ['input'] })
    expect(job.read('output')).toEqual([...old, 'new 2'])
    job.write('input', ['new 3'])
    await job.run(copy)
    expect(job.read('output')).toEqual([...old, 'new 2', 'new 3'])
  })

  test('is not accepted where another topic is', async () => {
    const job = await copied()
    await expect(job.run(copy, { acceptTopics: ['other'] })).rejects.toMatchObject({ code: 'topic-recreated' })
  })

  test('accepted, it must hold the committed offset', async () => {
    const job = new MemoryJob()
    job.write('input', old)
    await job.run(copy)
    const committed = job.log.committed(task, 'input')
    job.log.deleteTopic('input')
    job.write('input', ['new 0'])
    job.log.setOffset('group', 'input', 0, committed ?? null)
    await expect(job.run(copy, { acceptTopics: ['input'] })).rejects.toMatchObject({ code: 'data-removed' })
  })

  test('is read from its beginning with a reset', async () => {
    const job = await copied()
    await job.run(copy, { reset: earliest })
    expect(job.read('output')).toEqual([...old, ...made])
  })

  test('stops the job by name while it reads', async () => {
    const job = new MemoryJob()
    job.write('input', old)
    const running = job.start(copy, { follow: true })
    running.finished.catch(() => undefined)
    await job.clock.advance(2_000)
    expect(job.read('output')).toEqual(old)
    job.log.deleteTopic('input')
    job.write('input', made)
    await job.clock.advance(2_000)
    await expect(running.finished).rejects.toMatchObject({ code: 'topic-recreated' })
    expect(job.read('output')).toEqual(old)
  })

  test('a commit of an earlier version, which has no id, is gone on from', async () => {
    const job = new MemoryJob()
    job.write('input', old)
    await job.run(copy)
    const { offset, metadata } = job.log.committed(task, 'input') ?? { offset: -1, metadata: '' }
    job.log.setOffset('group', 'input', 0, { offset, metadata })
    job.write('input', ['old 2'])
    await job.run(copy)
    expect(job.read('output')).toEqual([...old, 'old 2'])
    expect(job.log.committed(task, 'input')?.topicId).toBe(job.log.topicId('input'))
  })
})
