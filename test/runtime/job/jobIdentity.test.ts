import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapWithState } from '../../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { earliest } from '../../../src/core/startMode.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { MemoryLog } from '../../../src/testing/world/memoryLog.ts'
import { lineageKey } from '../../../src/state/changelogKey.ts'
import { decodeLineage, lineageEntry } from '../../../src/state/changelogRecords.ts'
import { override, withTransactions } from '../../support/faultyLog.ts'
import { MemoryJob, failure, type TestPipeline } from '../../support/memoryJob.ts'

interface Deployment {
  readonly groupId: string
  readonly topic: string | readonly string[] | RegExp
  readonly output?: string
  readonly prefix?: string
}

const deployment =
  ({ groupId, topic, output = 'output', prefix }: Deployment): TestPipeline =>
  (context) =>
    fromKafka(context, { topic, groupId, startFrom: earliest }).pipe(
      toKafkaTransactional(context, {
        topic: output,
        ...(prefix === undefined ? {} : { transactionalIdPrefix: prefix }),
      }),
    )

const first = deployment({ groupId: 'first', topic: ['a', 'b'] })

async function afterFirst(): Promise<MemoryJob> {
  const job = new MemoryJob()
  job.write('a', ['a1'])
  job.write('b', ['b1'])
  job.write('c', ['c1'])
  await job.run(first)
  return job
}

function sorted(job: MemoryJob, topic: string): readonly string[] {
  return job.read(topic).map(String).toSorted()
}

/** As 10bdeee has written it: no commit record, and a lineage without group and topics. */
function asBefore(job: MemoryJob): void {
  const [changelog] = job.log.changelogs
  const partition = changelog?.partition(0)
  const lineage = partition?.records.find(({ key }) => key?.equals(lineageKey) === true)
  if (changelog === undefined || partition === undefined || lineage === undefined) throw new Error('nothing has run')
  const { lineage: id, generation } = decodeLineage(lineage.value)
  const entry = lineageEntry({ lineage: id, generation })
  partition.compact(() => false)
  partition.append({ topic: changelog.name, partition: 0, ...entry, headers: [], timestamp: 0 }, null)
}

const inUse = (message: RegExp): object => ({
  code: 'job-name-in-use',
  message: expect.stringMatching(message) as unknown,
})

describe('a name that a job has run under', () => {
  it.each([
    [
      'another group on other topics',
      { groupId: 'second', topic: 'c' },
      /^Job 'test' has run before as consumer group first on a, b, and this deployment is group second on c\. .*--job\.name=<name>.*--reset-offsets/,
    ],
    [
      'another group on the same topics',
      { groupId: 'second', topic: ['a', 'b'] },
      /group first on a, b, .*group second on a, b/,
    ],
    [
      'the same group with no topic in common',
      { groupId: 'first', topic: 'c' },
      /group first on a, b, and this deployment is group first on c, with no topic in common/,
    ],
  ])('is refused to %s, before anything is made, fenced or written', async (_, other, message) => {
    const job = await afterFirst()
    const calls: string[] = []
    const before = { ids: job.log.transactionalIds, ends: job.log.changelogs.map((log) => log.partition(0).range.end) }
    const error = await failure(
      job.run(deployment({ ...other, output: 'other-output' }), {
        environment: (world) =>
          override(world, {
            openLog: async (spec) => {
              try {
                return await world.openLog(spec)
              } catch (thrown) {
                calls.push('refused by open')
                throw thrown
              }
            },
          }),
      }),
    )
    expect(error).toMatchObject(inUse(message))
    expect(calls).toEqual(['refused by open'])
    expect(job.log.topicNames).not.toContain('other-output')
    expect(job.log.transactionalIds).toEqual(before.ids)
    expect(job.log.changelogs.map((log) => log.partition(0).range.end)).toEqual(before.ends)
    await job.run(first)
    expect(job.read('output')).toHaveLength(2)
  })

  it.each([
    ['a topic more', { groupId: 'first', topic: ['a', 'b', 'c'] }, 3],
    ['a pattern that matches more', { groupId: 'first', topic: /^[abc]$/ }, 3],
  ])('goes on with %s: what is new begins at earliest, and the rest where it was', async (_, changed, outputs) => {
    const job = await afterFirst()
    await job.run(deployment(changed))
    expect(job.read('output')).toHaveLength(outputs)
    expect(new Set(job.read('output')).size).toBe(outputs)
  })

  it('is another deployment beside the same file under another one: nothing is lost, nothing doubled', async () => {
    const job = await afterFirst()
    const second = deployment({ groupId: 'second', topic: 'c', output: 'second-output' })
    await job.run(second, { name: 'test-2' })
    job.write('a', ['a2'])
    job.write('c', ['c2'])
    await job.run(first)
    await job.run(second, { name: 'test-2' })
    expect(sorted(job, 'output')).toEqual(['a1', 'a2', 'b1'])
    expect(job.read('second-output')).toEqual(['c1', 'c2'])
  })

  it('is taken over by a reset, and belongs to that group from then on', async () => {
    const job = await afterFirst()
    const second = deployment({ groupId: 'second', topic: 'c', output: 'second-output' })
    await job.run(second, { reset: earliest })
    await job.run(second)
    expect(job.read('second-output')).toEqual(['c1'])
    expect(await failure(job.run(first))).toMatchObject(inUse(/as consumer group second on c, .*group first on a, b/))
    await job.run(first, { reset: earliest })
    expect(sorted(job, 'output')).toEqual(['a1', 'a1', 'b1', 'b1'])
    expect(await failure(job.run(second))).toMatchObject(inUse(/as consumer group first/))
  })

  it('belongs to the group that has reset it as soon as the reset is decided', async () => {
    const job = await afterFirst()
    const second = deployment({ groupId: 'second', topic: 'c', output: 'second-output' })
    const dies = failure(
      job.run(second, {
        reset: earliest,
        environment: withTransactions((transaction) =>
          override(transaction, { prepare: () => Promise.reject(new Error('died before its first commit')) }),
        ),
      }),
    )
    await dies
    expect(await failure(job.run(first))).toMatchObject(inUse(/as consumer group second, .*group first on a, b/))
    await job.run(second)
    expect(job.read('second-output')).toEqual(['c1'])
  })

  it('is told apart as far as it was noted, where an earlier version ran', async () => {
    const job = await afterFirst()
    asBefore(job)
    const error = await failure(job.run(deployment({ groupId: 'second', topic: 'c' })))
    expect(error).toMatchObject({
      code: 'commit-metadata-lost',
      message: expect.stringMatching(
        /noted neither consumer group nor topics\. Group second has committed nothing of c .*--job\.name=.*--reset-offsets/,
      ) as unknown,
    })
    expect(job.log.transactionalIds).toHaveLength(1)
    job.write('a', ['a2'])
    await job.run(first)
    expect(sorted(job, 'output')).toEqual(['a1', 'a2', 'b1'])
    expect(await failure(job.run(deployment({ groupId: 'second', topic: 'c' })))).toMatchObject(
      inUse(/group first on a, b/),
    )
  })

  it('costs a few entries of a long changelog', async () => {
    const job = new MemoryJob()
    const keyed = Array.from({ length: 5_000 }, (_, n) => ({
      topic: 'a',
      partition: 0,
      key: Buffer.from(`key-${String(n)}`),
      value: Buffer.from('x'),
      headers: [],
      timestamp: 0,
    }))
    job.log.append(keyed)
    const count: TestPipeline = (context) =>
      fromKafka(context, { topic: 'a', groupId: 'first', startFrom: earliest }).pipe(
        mapWithState<Buffer | null, number, string>(context, {
          uid: 'count',
          initial: () => 0,
          update: (n) => ({ state: n + 1, output: String(n + 1) }),
        }),
        toKafkaTransactional(context, { topic: 'output' }),
      )
    await job.run(count)
    let read = 0
    await failure(
      job.run(deployment({ groupId: 'second', topic: 'a' }), {
        environment: (world) =>
          override(world, {
            openLog: (spec) => {
              const { admit } = spec
              if (admit === undefined) throw new Error('nobody asks')
              return world.openLog({
                ...spec,
                admit: (earlier) =>
                  admit({
                    ...earlier,
                    tasks: () =>
                      earlier.tasks().map((task) =>
                        override(task, {
                          changelog: override(task.changelog, {
                            async *read(from, to) {
                              for await (const batch of task.changelog.read(from, to)) {
                                read += batch.length
                                yield batch
                              }
                            },
                          }),
                        }),
                      ),
                  }),
              })
            },
          }),
      }),
    )
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(20)
  })
})

describe('a group whose commits were made under another name', () => {
  const count: TestPipeline = (context) =>
    fromKafka(context, { topic: 'a', groupId: 'first', startFrom: earliest }).pipe(
      mapWithState<Buffer | null, number, string>(context, {
        uid: 'count',
        initial: () => 0,
        update: (n) => ({ state: n + 1, output: String(n + 1) }),
      }),
      toKafkaTransactional(context, { topic: 'output' }),
    )
  const writeKeyed = (job: MemoryJob): void => {
    const record = {
      topic: 'a',
      partition: 0,
      key: Buffer.from('k'),
      value: Buffer.from('x'),
      headers: [],
      timestamp: 0,
    }
    job.log.append([record])
  }

  it('is refused to a job with state, which stands under that name; under it the job goes on', async () => {
    const job = new MemoryJob()
    writeKeyed(job)
    await job.run(count)
    const ids = job.log.transactionalIds
    expect(await failure(job.run(count, { name: 'renamed' }))).toMatchObject({
      code: 'commit-metadata-lost',
      message: expect.stringMatching(
        /^Job 'renamed' has never run, .*group first has commits .* transactional ids test-….*--job\.name.*--reset-offsets/,
      ) as unknown,
    })
    expect(job.log.transactionalIds).toEqual(ids)
    writeKeyed(job)
    await job.run(count)
    expect(job.read('output')).toEqual(['1', '2'])
  })

  it('is not what a group is taken for whose first commit is still on its way to the changelog', async () => {
    const clock = new ManualClock(1_700_000_000_000)
    // Of the first commit: the offsets are seen at once, the changelog after 7 s.
    const markers = [0, 7_000]
    const log = new MemoryLog({ transactions: 'open', markers: { clock, afterMs: () => markers.shift() ?? 0 } })
    const job = new MemoryJob(clock, log)
    writeKeyed(job)
    const died = job.start(count).finished.catch(() => undefined)
    while (log.commits.length === 0) await clock.advance(1)
    await job.onOtherDisks().run(count)
    await clock.runUntil(died)
    expect(job.read('output')).toEqual(['1'])
  })

  it('is where a job without state goes on', async () => {
    const job = await afterFirst()
    job.write('a', ['a2'])
    await job.run(first, { name: 'renamed' })
    expect(sorted(job, 'output')).toEqual(['a1', 'a2', 'b1'])
  })
})

describe('who has worked under the name before', () => {
  it('and comes back from a long silence stops when another group has taken it, without a second output', async () => {
    const job = await afterFirst()
    const zombie = job.start(first, { follow: true })
    await job.clock.advance(2_000)
    const second = deployment({ groupId: 'second', topic: ['a', 'c'], output: 'second-output' })
    await job.run(second, { reset: earliest })
    job.write('a', ['a2'])
    const stopped = failure(job.clock.runUntil(zombie.finished))
    expect(await stopped).toMatchObject(inUse(/processed last by consumer group second, .*group first/))
    await job.run(second)
    expect(sorted(job, 'output')).toEqual(['a1', 'b1'])
    expect(sorted(job, 'second-output')).toEqual(['a1', 'a2', 'c1'])
  })

  it.each([
    ['as the offsets say', false],
    ['as the changelog says when the offsets have expired', true],
  ])('with another transactional id prefix commits nothing any more, %s', async (_, expired) => {
    const job = new MemoryJob()
    job.write('a', ['a1'])
    const committing = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    let holds = false
    const zombie = job.start(deployment({ groupId: 'first', topic: 'a', prefix: 'old' }), {
      follow: true,
      environment: withTransactions((transaction) =>
        override(transaction, {
          commit: async (positions, metadata) => {
            if (holds) {
              committing.resolve()
              await held.promise
            }
            await transaction.commit(positions, metadata)
          },
        }),
      ),
    })
    const ended = zombie.finished.catch(() => undefined)
    await job.clock.advance(3_000)
    expect(job.read('output')).toEqual(['a1'])
    holds = true
    job.write('a', ['a2'])
    await job.clock.advance(3_000)
    await committing.promise
    if (expired) job.log.setOffset('first', 'a', 0, null)
    await job.run(deployment({ groupId: 'first', topic: 'a', prefix: 'new' }))
    expect(job.read('output')).toEqual(['a1', 'a2'])
    holds = false
    zombie.stop()
    held.resolve()
    await job.clock.runUntil(ended)
    expect(job.read('output')).toEqual(['a1', 'a2'])
  })
})
