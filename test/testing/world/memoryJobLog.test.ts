import { beforeEach, describe, expect, test } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { PipelineContext } from '../../../src/core/context.ts'
import type { JobLogSpec, TaskListener } from '../../../src/core/ports/jobLog.ts'
import type { TopicSelection } from '../../../src/core/topicSelection.ts'
import { latest } from '../../../src/core/startMode.ts'
import type { TaskLog } from '../../../src/core/ports/taskLog.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { MemoryGroup } from '../../../src/testing/world/memoryGroup.ts'
import { openMemoryJobLog } from '../../../src/testing/world/memoryJobLog.ts'
import { MemoryLog } from '../../../src/testing/world/memoryLog.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'
import { commitMetadata } from '../../conformance/taskLogSteps.ts'
import { MemoryJob } from '../../support/memoryJob.ts'
import { at } from '../../support/positions.ts'

const family: readonly TopicSelection[] = [{ kind: 'pattern', pattern: /^family-/ }]
const listed: readonly TopicSelection[] = [{ kind: 'topics', topics: ['family-a', 'family-b'] }]

/** What one process is given, with the topics of each task. */
class Listener implements TaskListener {
  readonly tasks = new Map<number, TaskLog>()
  readonly failures: unknown[] = []

  assigned(task: TaskLog): void {
    this.tasks.set(task.partition, task)
  }

  rebalancing(): Promise<void> {
    return Promise.resolve()
  }

  async revoked(partition: number): Promise<void> {
    await this.tasks.get(partition)?.close()
    this.tasks.delete(partition)
  }

  failed(error: Error): void {
    this.failures.push(error)
  }

  get topics(): Record<number, readonly string[]> {
    return Object.fromEntries([...this.tasks].map(([partition, { inputs }]) => [partition, inputs.topics.toSorted()]))
  }
}

describe('inputs in memory, while a group runs', () => {
  let clock: ManualClock
  let log: MemoryLog
  let group: MemoryGroup | null

  beforeEach(() => {
    clock = new ManualClock()
    log = new MemoryLog()
    group = null
    log.ensureTopic('family-a', { partitions: 2 })
    log.ensureTopic('family-b', { partitions: 1 })
  })

  const begin = async (
    inputs: readonly TopicSelection[],
    options: Partial<Pick<JobLogSpec, 'copartitioned' | 'dropInputs'>> = {},
  ): Promise<Listener> => {
    const spec = { job: 'job', group: 'source', groupId: 'group', outputs: [], transactionalIdPrefix: 'job', inputs }
    const opened = await openMemoryJobLog(
      log,
      { copartitioned: false, ...spec, ...options },
      new TestProcess({ clock }),
      {
        name: 'one',
        discoveryMs: 100,
        group: (found) => (group ??= new MemoryGroup({ clock, inputs: found })),
      },
    )
    const listener = new Listener()
    void opened.join(listener)
    await clock.advance(500)
    return listener
  }

  test('a topic that begins to match is dealt out, and the tasks that it joins begin anew', async () => {
    const { tasks, topics } = await begin(family)
    expect(topics).toEqual({ 0: ['family-a', 'family-b'], 1: ['family-a'] })
    const [first, second] = [tasks.get(0), tasks.get(1)]
    log.ensureTopic('family-c', { partitions: 1 })
    await clock.advance(500)
    expect(tasks.get(0)?.inputs.topics.toSorted()).toEqual(['family-a', 'family-b', 'family-c'])
    expect(tasks.get(0)).not.toBe(first)
    // Its topics are the same.
    expect(tasks.get(1)).toBe(second)
  })

  test('a topic that grows makes tasks, each with a changelog', async () => {
    const listener = await begin(family)
    log.topic('family-b').grow(4)
    await clock.advance(500)
    expect(listener.topics).toEqual({
      0: ['family-a', 'family-b'],
      1: ['family-a', 'family-b'],
      2: ['family-b'],
      3: ['family-b'],
    })
    expect(await listener.tasks.get(3)?.changelog.range()).toEqual({ start: 0, end: 0 })
  })

  test('a topic of a pattern that is deleted is dropped, and whoever asks for it is told to wait for that', async () => {
    const listener = await begin(family)
    const task = listener.tasks.get(0)
    log.deleteTopic('family-b')
    await expect(task?.inputs.range('family-b')).rejects.toMatchObject({ kind: 'unreachable' })
    await clock.advance(500)
    expect(listener.topics).toEqual({ 0: ['family-a'], 1: ['family-a'] })
    expect(listener.failures).toEqual([])
  })

  test('a topic of a list that is deleted stops its tasks by name, and the others are kept', async () => {
    const listener = await begin(listed)
    log.deleteTopic('family-b')
    await clock.advance(500)
    await expect(listener.tasks.get(0)?.inputs.range('family-b')).rejects.toMatchObject({ code: 'unknown-topic' })
    expect(listener.topics).toEqual({ 0: ['family-a', 'family-b'], 1: ['family-a'] })
  })

  test('a group with state refuses partitions that are added', async () => {
    log.topic('family-b').grow(2)
    const listener = await begin(family, { copartitioned: true })
    log.topic('family-b').grow(3)
    await clock.advance(500)
    expect(listener.failures[0]).toMatchObject({ code: 'partitions-changed' })
    expect(Object.keys(listener.topics)).toEqual(['0', '1'])
  })

  test('positions of a topic that is gone are refused, as by a broker', async () => {
    const listener = await begin(family)
    const task = listener.tasks.get(0)
    await task?.commitLog.fence()
    await task?.commitLog.committed()
    const transaction = task?.commitLog.begin()
    log.deleteTopic('family-b')
    await transaction?.prepare([])
    const positions = at({ 'family-a': 0, 'family-b': 0 })
    await expect(transaction?.commit(positions, commitMetadata({}))).rejects.toMatchObject({
      code: 'commit-failed',
      retriable: true,
    })
    expect(await task?.commitLog.committed()).toEqual(new Map())
  })
})

test('a partition that a topic has gained begins at its beginning, whatever the start mode', async () => {
  const job = new MemoryJob()
  const fromNow = (context: PipelineContext) => [
    fromKafka(context, { topic: 'a', groupId: 'group', startFrom: latest }).pipe(
      toKafkaTransactional(context, { topic: 'output' }),
    ),
  ]
  job.write('a', ['before'])
  await job.run(fromNow)
  job.log.topic('a').grow(2)
  job.write('a', ['first of the new one'], 1)
  await job.run(fromNow)
  expect(job.read('output')).toEqual(['first of the new one'])
})
