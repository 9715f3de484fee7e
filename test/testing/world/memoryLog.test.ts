import { describe, expect, test } from 'vitest'
import type { JobLog, JobLogSpec } from '../../../src/core/ports/jobLog.ts'
import type { TopicSelection } from '../../../src/core/topicSelection.ts'
import type { OutputRecord } from '../../../src/core/record.ts'
import type { TaskLog } from '../../../src/core/ports/taskLog.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { openMemoryJobLog } from '../../../src/testing/world/memoryJobLog.ts'
import { MemoryLog } from '../../../src/testing/world/memoryLog.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'
import { taskLogConformance } from '../../conformance/taskLog.ts'
import { commitMetadata } from '../../support/commitMetadata.ts'
import { at } from '../../support/positions.ts'

const clock = new ManualClock()

function open(log: MemoryLog, process: TestProcess, inputs: readonly TopicSelection[]): Promise<JobLog> {
  const spec: JobLogSpec = {
    job: 'job',
    group: 'source',
    groupId: 'group',
    inputs,
    outputs: ['results'],
    transactionalIdPrefix: 'job',
    copartitioned: false,
  }
  return openMemoryJobLog(log, spec, process)
}

async function tasks(log: MemoryLog, process: TestProcess, ...topics: string[]): Promise<TaskLog[]> {
  const assigned: TaskLog[] = []
  const jobLog = await open(log, process, [{ kind: 'topics', topics }])
  await jobLog.join({
    assigned: (task) => assigned.push(task),
    rebalancing: () => Promise.resolve(),
    revoked: () => Promise.resolve(),
    failed: () => undefined,
  })
  return assigned
}

for (const transactions of ['whole', 'open'] as const) {
  taskLogConformance(
    `memory, ${transactions} transactions`,
    () => {
      const log = new MemoryLog({ transactions })
      log.ensureTopic('orders', { partitions: 2 })
      log.ensureTopic('payments', { partitions: 2 })
      let process = new TestProcess({ clock })
      return Promise.resolve({
        async taskLog(partition) {
          const task = (await tasks(log, process, 'orders', 'payments'))[partition]
          if (task === undefined) throw new Error(`there is no task ${String(partition)}`)
          return task
        },
        append: (records) => {
          log.append(records)
          return Promise.resolve()
        },
        readAll: (topic, partition) =>
          Promise.resolve(
            log.topicNames.includes(topic) ? (log.topic(topic).partitions[partition]?.records ?? []) : [],
          ),
        removeRecord: (topic, partition, offset) => {
          log
            .topic(topic)
            .partition(partition)
            .compact((record) => record.offset !== offset)
          return Promise.resolve()
        },
        crash: () => {
          process.kill('test')
          process = new TestProcess({ clock })
          return Promise.resolve()
        },
        close: () => Promise.resolve(),
      })
    },
    { marker: transactions === 'open' ? 1 : 0, compactsWhenAsked: transactions === 'whole', topicIds: true },
  )
}

const output = (topic: string, value: string, rest: Partial<OutputRecord> = {}): OutputRecord => ({
  topic,
  partition: null,
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestamp: 0,
  ...rest,
})

const metadata = commitMetadata({ epoch: 1 })

describe('MemoryLog', () => {
  const started = async (): Promise<{ log: MemoryLog; process: TestProcess; task: TaskLog }> => {
    const log = new MemoryLog()
    log.ensureTopic('orders')
    const process = new TestProcess({ clock })
    const [task] = await tasks(log, process, 'orders')
    if (task === undefined) throw new Error('no task')
    await task.commitLog.fence()
    return { log, process, task }
  }
  const values = (log: MemoryLog, topic: string): (string | undefined)[] =>
    log
      .topic(topic)
      .records()
      .map(({ raw }) => raw?.toString())

  test('a dead process commits nothing, not even what it had prepared', async () => {
    const { log, process, task } = await started()
    const transaction = task.commitLog.begin()
    transaction.send(output('results', 'x'), 'exactly-once')
    await transaction.prepare([])
    process.kill('test')
    void transaction.commit(at({ orders: 1 }), metadata)
    await clock.settle()
    expect(values(log, 'results')).toEqual([])
    expect(log.commits).toEqual([])
  })

  test('at-least-once records are there before the commit and after an abort', async () => {
    const { log, task } = await started()
    const transaction = task.commitLog.begin()
    transaction.send(output('results', 'x'), 'at-least-once')
    transaction.send(output('results', 'y'), 'exactly-once')
    expect(values(log, 'results')).toEqual(['x'])
    await transaction.abort()
    expect(values(log, 'results')).toEqual(['x'])
  })

  test('bytes that the sender changes later are stored as they were sent', async () => {
    const { log, task } = await started()
    const transaction = task.commitLog.begin()
    const value = Buffer.from('x')
    transaction.send({ ...output('results', ''), value }, 'exactly-once')
    value.fill('z')
    await transaction.prepare([])
    await transaction.commit(at({ orders: 0 }), metadata)
    expect(values(log, 'results')).toEqual(['x'])
  })

  test('calls of a transaction in a wrong order are refused', async () => {
    const { task } = await started()
    const wrong = { code: 'broken-invariant' }
    await expect(task.commitLog.begin().commit(new Map(), metadata)).rejects.toMatchObject(wrong)
    const transaction = task.commitLog.begin()
    await transaction.prepare([])
    expect(() => {
      transaction.send(output('results', 'late'), 'exactly-once')
    }).toThrow(expect.objectContaining(wrong))
    await transaction.commit(new Map(), metadata)
    await expect(transaction.commit(new Map(), metadata)).rejects.toMatchObject(wrong)
  })

  test('a record that is larger than its topic takes is refused', async () => {
    const { log, task } = await started()
    log.ensureTopic('small', { maxRecordBytes: 10 })
    expect(task.outputs.refusal(output('small', '1234567890'))).toBeNull()
    expect(task.outputs.refusal(output('small', '12345678901'))?.code).toBe('record-too-large')
    expect(() => {
      task.commitLog.begin().send(output('small', '12345678901'), 'exactly-once')
    }).toThrow(expect.objectContaining({ code: 'record-too-large' }))
  })

  test('a pattern selects topics, and no changelog', async () => {
    const { log, process } = await started()
    log.ensureTopic('orders-2', { partitions: 3 })
    const jobLog = await open(log, process, [{ kind: 'pattern', pattern: /.*/ }])
    expect([...jobLog.partitionCounts]).toEqual([
      ['orders', 1],
      ['results', 1],
      ['orders-2', 3],
    ])
  })

  test('a task above the partition count of a topic does not read it', async () => {
    const { log, process } = await started()
    log.ensureTopic('wide', { partitions: 2 })
    expect((await tasks(log, process, 'orders', 'wide')).map(({ inputs }) => inputs.topics)).toEqual([
      ['orders', 'wide'],
      ['wide'],
    ])
  })

  test('an input that does not exist is refused with those that do', async () => {
    const { log, process } = await started()
    await expect(open(log, process, [{ kind: 'topics', topics: ['order'] }])).rejects.toMatchObject({
      code: 'unknown-topic',
      message: expect.stringContaining('orders'),
    })
    await expect(open(log, process, [{ kind: 'pattern', pattern: /^x/ }])).rejects.toMatchObject({
      code: 'unknown-topic',
    })
  })
})

describe('markers that are under way', () => {
  /** One task whose transactions end in each place at a time that the test gives, in ms and in the order of the places. */
  async function lagging(times: readonly number[]): Promise<{ log: MemoryLog; world: ManualClock; task: TaskLog }> {
    const world = new ManualClock()
    const left = [...times]
    const log = new MemoryLog({ transactions: 'open', markers: { clock: world, afterMs: () => left.shift() ?? 0 } })
    log.ensureTopic('orders')
    const [task] = await tasks(log, new TestProcess({ clock: world }), 'orders')
    if (task === undefined) throw new Error('there is no task')
    await task.commitLog.fence()
    return { log, world, task }
  }

  async function commitOne(task: TaskLog, position: number): Promise<void> {
    const transaction = task.commitLog.begin()
    transaction.send(output('results', String(position)), 'exactly-once')
    const changelogEnd = await transaction.prepare([{ key: Buffer.from('k'), value: Buffer.from('v') }])
    await transaction.commit(
      at({ orders: position }),
      commitMetadata({ inputs: 1, partitionCounts: { orders: 1 }, changelogEnd }),
    )
  }

  const isPending = async (promise: Promise<unknown>, world: ManualClock): Promise<boolean> => {
    let settled = false
    promise.then(
      () => (settled = true),
      () => (settled = true),
    )
    await world.settle()
    return !settled
  }

  test('each place shows the commit at a time of its own, and committed offsets are waited for', async () => {
    // In this order: the offsets, the output, the changelog, the end of the whole.
    const { log, world, task } = await lagging([30, 10, 20, 40])
    await commitOne(task, 1)
    const committed = task.commitLog.committed()
    const range = task.changelog.range()
    expect(log.topic('results').records()).toEqual([])
    expect(await isPending(committed, world)).toBe(true)
    await world.advance(10)
    expect(log.topic('results').records()).toHaveLength(1)
    expect(await isPending(range, world)).toBe(true)
    await world.advance(20)
    expect((await committed).get('orders')?.position).toBe(1)
    await world.advance(10)
    expect((await range).end).toBeGreaterThanOrEqual(1)
  })

  test('until the last marker is written the task is neither taken over nor begins another transaction', async () => {
    const { log, world, task } = await lagging([0, 0, 0, 50])
    await commitOne(task, 1)
    // The owner before is in time with its records, and too late with its commit, or the other way round; never both.
    const next = commitOne(task, 2).catch((error: unknown) => error)
    const [other] = await tasks(log, new TestProcess({ clock: world }), 'orders')
    const fenced = other?.commitLog.fence() ?? Promise.reject(new Error('there is no task'))
    await world.advance(49)
    expect(await isPending(fenced, world)).toBe(true)
    expect(log.commits).toHaveLength(1)
    await world.advance(1)
    await fenced
    await next
    expect(log.topic('results').records().length).toBe(log.commits.length)
  })

  test('all that is under way can be made to arrive', async () => {
    const { log, task } = await lagging([500, 500, 500, 500])
    await commitOne(task, 1)
    log.settle()
    expect(log.topic('results').records()).toHaveLength(1)
  })
})
