import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { decodeCommitMetadata, encodeCommitMetadata } from '../../src/core/commitMetadata.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { JobLog } from '../../src/core/ports/jobLog.ts'
import { earliest, latest, type StartMode } from '../../src/core/startMode.ts'
import type { CommitMetadata } from '../../src/core/ports/task.ts'
import { lineageEntry } from '../../src/state/changelogRecords.ts'
import { commitMetadata } from '../support/commitMetadata.ts'
import { DealtTasks } from '../support/dealtTasks.ts'
import { override, withTransactions } from '../support/faultyLog.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const copy: TestPipeline = (context) =>
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' }))

/** Outputs how many records the partition has given so far. */
const count: TestPipeline = (context) =>
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
    mapWithState<Buffer | null, number, string>(context, {
      uid: 'count',
      initial: () => 0,
      update: (n) => ({ state: n + 1, output: String(n + 1) }),
    }),
    toKafkaTransactional(context, { topic: 'output' }),
  )

function jobWithPartitions(partitions: number): MemoryJob {
  const job = new MemoryJob()
  job.log.ensureTopic('input', { partitions })
  return job
}

function sorted(values: readonly (string | null)[]): readonly string[] {
  return values.map(String).toSorted()
}

function writeKeyed(job: MemoryJob, partition: number, values: readonly string[]): void {
  job.log.append(
    values.map((value) => ({
      topic: 'input',
      partition,
      key: Buffer.from('k'),
      value: Buffer.from(value),
      headers: [],
      timestamp: 0,
    })),
  )
}

function decodedAt(job: MemoryJob, partition: number): CommitMetadata {
  const task = { groupId: 'group', partition, transactionalId: '', changelog: '' }
  return decodeCommitMetadata(job.log.committed(task, 'input')?.metadata ?? '')
}

describe('a reset', () => {
  it('does not concern a partition that is discovered later: that one begins at earliest', async () => {
    const job = jobWithPartitions(2)
    job.write('input', ['old'], 0)
    const tasks = new DealtTasks([0], 1)
    const running = job.start(copy, { follow: true, reset: latest, environment: tasks.environment })
    await job.clock.advance(2000)
    job.write('input', ['first of the new partition'], 1)
    tasks.deal(1)
    await job.clock.advance(2000)
    expect(job.read('output')).toEqual(['first of the new partition'])
    running.stop()
    await job.clock.runUntil(running.finished)
  })

  it.each([
    ['earliest', earliest, ['a', 'b', 'a', 'b', 'c']],
    ['latest', latest, ['a', 'b', 'c']],
  ])('to %s moves a partition that another process held once, whoever recovers it', async (_, reset, outputs) => {
    const job = jobWithPartitions(2)
    job.write('input', ['a', 'b'], 0)
    await job.run(copy)
    const [one, two] = [new DealtTasks([0]), new DealtTasks([1])]
    const holder = job.start(copy, { follow: true, environment: one.environment })
    await job.clock.advance(2000)
    const resetting = job.start(copy, { follow: true, reset, environment: two.environment })
    await job.clock.advance(2000)
    await one.take(0)
    two.deal(0)
    await job.clock.advance(2000)
    job.write('input', ['c'], 0)
    for (const [from, to] of [
      [two, one],
      [one, two],
    ] as const) {
      await job.clock.advance(2000)
      await from.take(0)
      to.deal(0)
    }
    await job.clock.advance(2000)
    expect(job.read('output')).toEqual(outputs)
    for (const running of [holder, resetting]) {
      running.stop()
      await job.clock.runUntil(running.finished)
    }
  })

  it('empties the state of a partition that moves later once', async () => {
    const job = jobWithPartitions(2)
    writeKeyed(job, 0, ['a', 'b'])
    await job.run(count)
    const tasks = new DealtTasks([1])
    const running = job.start(count, { follow: true, reset: latest, environment: tasks.environment })
    await job.clock.advance(2000)
    for (const value of ['c', 'd']) {
      writeKeyed(job, 0, [value])
      tasks.deal(0)
      await job.clock.advance(2000)
      await tasks.take(0)
    }
    running.stop()
    await job.clock.runUntil(running.finished)
    expect(job.read('output')).toEqual(['1', '2', '1', '2'])
  })

  it('is not repeated by the recoveries of the run that asked for it', async () => {
    const job = jobWithPartitions(1)
    job.write('input', ['a', 'b'])
    await job.run(copy)
    const lost = new TidemarkError('commit-failed', 'the answer was lost', { retriable: true })
    await job.run(copy, {
      reset: earliest,
      environment: withTransactions((transaction, index) =>
        index === 0
          ? transaction
          : override(transaction, {
              commit: async (positions, metadata) => {
                await transaction.commit(positions, metadata)
                if (index === 1) throw lost
              },
            }),
      ),
    })
    expect(job.read('output')).toEqual(['a', 'b', 'a', 'b'])
  })

  it('that was written and whose process then died is carried on with, also without the flag', async () => {
    const job = jobWithPartitions(2)
    job.write('input', ['a'], 0)
    job.write('input', ['b'], 1)
    await job.run(copy)
    const died = await failure(
      job.run(copy, {
        reset: earliest,
        environment: (world) =>
          override(world, {
            openLog: async (spec) =>
              override<JobLog>(await world.openLog(spec), { join: () => Promise.reject(new Error('killed')) }),
          }),
      }),
    )
    expect(died.message).toContain('killed')
    const committed = job.log.commits.length
    await job.run(copy)
    expect(sorted(job.read('output'))).toEqual(['a', 'a', 'b', 'b'])
    expect(job.log.commits.length).toBe(committed + 4)
    await job.run(copy)
    expect(job.read('output')).toHaveLength(4)
  })

  it('gives a task without a commit its position, and its lineage', async () => {
    const job = jobWithPartitions(2)
    job.write('input', ['skipped'], 1)
    await job.run(copy, { reset: latest, environment: new DealtTasks([0]).environment })
    job.write('input', ['after'], 1)
    await job.run(copy)
    expect(job.read('output')).toEqual(['after'])
    const lineages = [0, 1].map((partition) => decodedAt(job, partition).lineage)
    expect(new Set(lineages).size).toBe(1)
    expect(lineages[0]).toBe(job.log.control('test')?.lineage)
  })

  it('with an offset that a topic does not hold writes nothing', async () => {
    const job = jobWithPartitions(2)
    job.write('input', ['a'], 0)
    const reset: StartMode = { kind: 'offsets', offsets: new Map([[1, 99]]) }
    const error = await failure(job.run(copy, { reset }))
    expect(error).toMatchObject({ code: 'invalid-setting' })
    expect(job.log.control('test')).toBeNull()
    await job.run(copy)
    expect(job.read('output')).toEqual(['a'])
  })

  it('replaces the one before, and what a version without control records has reset since then stays', async () => {
    const job = jobWithPartitions(1)
    job.write('input', ['a', 'b'])
    await job.run(copy, { reset: earliest })
    await job.run(copy, { reset: latest })
    const { generation } = job.log.control('test') ?? { generation: -1 }
    expect(generation).toBe(1)
    // As 10bdeee resets: a lineage of its own in the next generation.
    const metadata = commitMetadata({
      ...decodedAt(job, 0),
      lineage: 'by hand',
      generation: generation + 1,
    })
    job.log.setOffset('group', 'input', 0, { offset: 1, metadata: encodeCommitMetadata(metadata) })
    await job.run(copy)
    expect(job.read('output')).toEqual(['a', 'b', 'b'])
  })

  it.each([
    ['are not its own', { offset: 1, metadata: 'something else' }],
    [
      'do not belong together',
      { offset: 1, metadata: encodeCommitMetadata(commitMetadata({ epoch: 77, generation: 0 })) },
    ],
  ])('is the way out where the committed offsets %s', async (_, offset) => {
    const job = jobWithPartitions(1)
    job.write('input', ['a'])
    job.write('other', ['b'])
    const both: TestPipeline = (context) =>
      fromKafka(context, { topic: ['input', 'other'], groupId: 'group' }).pipe(
        toKafkaTransactional(context, { topic: 'output' }),
      )
    await job.run(both)
    job.log.setOffset('group', 'input', 0, offset)
    expect(['corrupt-store', 'commit-metadata-lost']).toContain(((await failure(job.run(both))) as TidemarkError).code)
    await job.run(both, { reset: earliest })
    expect(sorted(job.read('output'))).toEqual(['a', 'a', 'b', 'b'])
    const epochs = job.log.commits.map(({ epoch }) => epoch)
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
  })

  it('is above every generation that a changelog still knows', async () => {
    const job = jobWithPartitions(1)
    job.write('input', ['a'])
    job.log.ensureChangelog('test-source-changelog', 1)
    const { key, value } = lineageEntry({ lineage: 'older', generation: 6 })
    job.log.changelogs[0]?.partition(0).append({
      topic: 'test-source-changelog',
      partition: 0,
      key,
      value,
      headers: [],
      timestamp: 0,
    })
    await job.run(copy, { reset: earliest })
    expect(job.log.control('test')?.generation).toBe(7)
    expect(job.read('output')).toEqual(['a'])
  })
})
