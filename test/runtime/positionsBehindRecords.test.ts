import { describe, expect, test } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import type { MemoryTaskIdentity } from '../../src/testing/world/memoryLog.ts'
import { MemoryJob } from '../support/memoryJob.ts'

const copy = (context: PipelineContext) => [
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' })),
]
const counting = (context: PipelineContext) => [
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
    mapWithState<Buffer | null, number, string>(context, {
      uid: 'count',
      initial: () => 0,
      update: (n) => ({ state: n + 1, output: String(n + 1) }),
    }),
    toKafkaTransactional(context, { topic: 'output' }),
  ),
]
const task: MemoryTaskIdentity = { groupId: 'group', partition: 0, transactionalId: '', changelog: '' }

/** What is left of an aborted transaction, or a commit's marker: offsets without a record. */
const gap = (job: MemoryJob, offsets: number): void => {
  const partition = job.log.topic('input').partition(0)
  partition.skip(offsets)
  partition.announce()
}
const committedOffset = (job: MemoryJob): number | undefined => job.log.committed(task, 'input')?.offset
const removeAll = (job: MemoryJob): void => {
  job.log.topic('input').partition(0).removeBefore(Infinity)
}

describe('a position that has passed only what holds no record', () => {
  test('is committed when a bounded run ends, so that retention may remove it all', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    await job.run(copy)
    gap(job, 3)
    expect(await job.run(copy)).toMatchObject({ outcome: 'completed', records: 0 })
    expect(committedOffset(job)).toBe(4)
    removeAll(job)
    job.write('input', ['b'])
    await job.run(copy)
    expect(job.read('output')).toEqual(['a', 'b'])
  })

  test('is committed when a job that follows is stopped', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    const running = job.start(copy, { follow: true })
    await job.clock.advance(2_000)
    gap(job, 3)
    await job.clock.advance(1_000)
    expect(committedOffset(job)).toBe(1)
    running.stop()
    await job.clock.runUntil(running.finished)
    expect(committedOffset(job)).toBe(4)
  })

  test('is committed by an idle task after a while, once, and a task that has not moved opens nothing', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    const running = job.start(copy, { follow: true })
    await job.clock.advance(2_000)
    gap(job, 3)
    await job.clock.advance(35_000)
    expect(committedOffset(job)).toBe(4)
    const { length } = job.log.commits
    await job.clock.advance(300_000)
    expect(job.log.commits).toHaveLength(length)
    job.write('input', ['b'])
    await job.clock.advance(2_000)
    expect(job.read('output')).toEqual(['a', 'b'])
    running.stop()
    await job.clock.runUntil(running.finished)
  })

  test('is committed with the state as it is, and the next process goes on with both', async () => {
    const job = new MemoryJob()
    const write = (value: string): void => {
      const key = Buffer.from('k')
      job.log.append([{ topic: 'input', partition: 0, key, value: Buffer.from(value), headers: [], timestamp: 0 }])
    }
    write('a')
    await job.run(counting)
    gap(job, 2)
    await job.run(counting)
    write('b')
    await job.run(counting)
    expect(job.read('output')).toEqual(['1', '2'])
  })

  test('does not pass an open transaction, and the run says how much waits behind it', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    const partition = job.log.topic('input').partition(0)
    const record = { topic: 'input', partition: 0, key: null, value: Buffer.from('open'), headers: [], timestamp: 0 }
    partition.append(record, 'somebody')
    job.write('input', ['behind'])
    expect(await job.run(copy)).toMatchObject({ records: 1, undecided: 2 })
    partition.mark('somebody', 'commit')
    partition.show('somebody')
    partition.announce()
    expect(await job.run(copy)).toMatchObject({ records: 2, undecided: 0 })
    expect(job.read('output')).toEqual(['a', 'open', 'behind'])
  })

  test('that cannot be committed is passed again by the next run', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    const running = job.start(copy, { follow: true })
    await job.clock.advance(2_000)
    gap(job, 3)
    // Another owner: this one is fenced.
    const [transactionalId = ''] = job.log.transactionalIds
    job.log.fence({ transactionalId })
    running.stop()
    expect((await job.clock.runUntil(running.finished)).outcome).toBe('stopped')
    expect(committedOffset(job)).toBe(1)
    await job.run(copy)
    expect(committedOffset(job)).toBe(4)
  })
})
