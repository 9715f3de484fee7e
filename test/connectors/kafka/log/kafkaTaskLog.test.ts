import { afterEach, beforeEach, expect, it } from 'vitest'
import { decodeCommitMetadata } from '../../../../src/core/commitMetadata.ts'
import type { CommitMetadata } from '../../../../src/core/ports/task.ts'
import type { TaskLog } from '../../../../src/core/ports/taskLog.ts'
import type { KafkaTaskLog } from '../../../../src/connectors/kafka/log/kafkaTaskLog.ts'
import { TaskProducer } from '../../../../src/connectors/kafka/write/taskProducer.ts'
import { commitMetadata } from '../../../support/commitMetadata.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { KafkaWorld, TestOwner, output, take, testConfig, uniqueName } from '../kafkaWorld.ts'
import { at } from '../../../support/positions.ts'

const baseMetadata = commitMetadata()

describeWithServers('the Kafka task log', ['kafka'], (servers) => {
  let world: KafkaWorld
  let owners: TestOwner[]
  let job: string
  let input: string
  let results: string

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    owners = []
    job = uniqueName('job')
    input = await world.createTopic(uniqueName('input'), 2)
    results = await world.createTopic(uniqueName('results'), 2)
  })
  afterEach(async () => {
    await Promise.all([...owners.map((owner) => owner.close()), world.close()])
  })

  const newOwner = (): TestOwner => {
    const owner = new TestOwner(testConfig(servers.kafka()))
    owners.push(owner)
    return owner
  }
  const newLog = (owner = newOwner(), fields: object = {}): Promise<KafkaTaskLog> =>
    owner.taskLog({ job, topics: [input], partition: 0, ...fields })
  const fenced = async (owner?: TestOwner): Promise<KafkaTaskLog> => {
    const log = await newLog(owner)
    await log.commitLog.fence()
    return log
  }
  const commit = async (
    log: TaskLog,
    values: readonly string[],
    position: number,
    fields: Partial<CommitMetadata> = {},
  ): Promise<void> => {
    const transaction = log.commitLog.begin()
    for (const value of values) transaction.send(output(results, value), 'exactly-once')
    const changelogEnd = await transaction.prepare([])
    await transaction.commit(at({ [input]: position }), { ...baseMetadata, changelogEnd, ...fields })
  }

  it('refuses a zombie at its send, at its offsets and at its commit', async () => {
    const early = await fenced()
    const atSend = early.commitLog.begin()
    atSend.send(output(results, 'zombie'), 'exactly-once')

    const second = await fenced()
    await expect(atSend.prepare([])).rejects.toMatchObject({ code: 'commit-failed', retriable: true })
    expect(early.commitLog.lost).toBe(true)
    const atOffsets = second.commitLog.begin()
    atOffsets.send(output(results, 'zombie'), 'exactly-once')
    await atOffsets.prepare([])

    const third = await fenced()
    await expect(atOffsets.commit(at({ [input]: 1 }), baseMetadata)).rejects.toMatchObject({
      code: 'commit-failed',
      retriable: true,
    })
    expect(second.commitLog.lost).toBe(true)

    await commit(third, ['owner'], 5)
    expect(third.commitLog.lost).toBe(false)
    expect(await world.readValues(results, 1)).toEqual(['owner'])
    expect((await (await fenced()).commitLog.committed()).get(input)?.position).toBe(5)
  })

  it('looks before its fence at what is committed, without waiting for the transaction of an owner that was killed', async () => {
    await commit(await fenced(), ['first'], 1)
    const dying = await TaskProducer.fence({
      cluster: world.cluster,
      transactionalId: `${job}-source-0`,
      transactionTimeoutMs: 60_000,
      compression: 'none',
    })
    await dying.sendOffsets(`${job}-group`, [{ topic: input, partition: 0, offset: 2, metadata: '' }])
    await dying.discard('It was killed between its offsets and its commit')
    const successor = await newLog()
    // The fence would decide it, and comes after the look; the brokers would abort it after a minute.
    expect((await successor.commitLog.committed()).get(input)?.position).toBe(1)
    await successor.commitLog.fence()
    expect((await successor.commitLog.committed()).get(input)?.position).toBe(1)
  })

  it('asks for its task in the group before it takes it over', async () => {
    const log = await newLog(newOwner(), { confirm: () => Promise.reject(new Error('it is not yours')) })
    await expect(log.commitLog.fence()).rejects.toThrow('it is not yours')
    expect(log.commitLog.lost).toBe(true)
    await expect(commit(log, ['x'], 1)).rejects.toMatchObject({ code: 'commit-failed' })
  })

  it('fences the transactional id of an earlier prefix as well', async () => {
    const before = await newLog(newOwner(), { prefix: 'before' })
    await before.commitLog.fence()
    await commit(before, [], 1, { transactionalIdPrefix: 'before' })
    const open = before.commitLog.begin()
    open.send(output(results, 'late'), 'exactly-once')
    await open.prepare([])

    const after = await newLog(newOwner(), { prefix: 'after' })
    await after.commitLog.fence()
    await after.commitLog.fenceEarlier('before')
    expect((await after.commitLog.committed()).get(input)?.position).toBe(1)
    await expect(open.commit(at({ [input]: 2 }), baseMetadata)).rejects.toMatchObject({ code: 'commit-failed' })
    await commit(after, ['owner'], 3, { transactionalIdPrefix: 'after' })
    expect(await world.readValues(results, 1)).toEqual(['owner'])
  })

  it('keeps 4,096 characters beside an offset, and refuses more before anything is committed', async () => {
    const log = await fenced()
    const fill = (length: number): Partial<CommitMetadata> => {
      const empty = JSON.stringify({
        v: 1,
        epoch: 0,
        nonce: '',
        lineage: 'lineage',
        gen: 0,
        inputs: 1,
        counts: {},
        prefix: 'job',
        log: 0,
        follow: null,
        mark: null,
      })
      return { nonce: 'n'.repeat(length - empty.length) }
    }
    await commit(log, [], 1, fill(4096))
    await log.commitLog.fence()
    const committed = (await log.commitLog.committed()).get(input)
    expect(committed?.metadata).toHaveLength(4096)
    expect(decodeCommitMetadata(committed?.metadata ?? '').nonce).toBe(fill(4096).nonce)
    await expect(commit(log, ['x'], 2, fill(4097))).rejects.toMatchObject({ code: 'invalid-plan' })
  })

  it('does not take what an aborted first epoch left in the changelog for a commit', async () => {
    const crashed = await fenced()
    await crashed.commitLog.begin().prepare([{ key: Buffer.from('k'), value: Buffer.from('v') }])
    const log = await fenced()
    expect((await log.commitLog.committed()).size).toBe(0)
    const { end } = await log.changelog.range()
    expect(end).toBe(2)
    for await (const entries of log.changelog.read(0, end)) expect(entries).toEqual([])
  })

  it('ends a read on a commit marker, and passes an aborted transaction at the end of the log', async () => {
    const writer = await fenced()
    const transaction = writer.commitLog.begin()
    transaction.send(output(input, 'a'), 'exactly-once')
    await transaction.prepare([])
    await transaction.commit(new Map(), baseMetadata)
    const given = writer.commitLog.begin()
    given.send(output(input, 'given up'), 'exactly-once')
    await given.prepare([])
    await given.abort()
    await world.readAll(input, 0)
    const log = await newLog()
    const { end } = await log.inputs.range(input)
    expect(end).toBe(4)
    const reader = log.inputs.read(at({ [input]: 0 }), new Map([[input, end]]))
    expect((await take(reader)).map(({ raw }) => raw?.toString())).toEqual(['a'])
    expect(reader.positions().get(input)).toBe(4)
  })

  it('never shows aborted records of transactions that overlap, nor of keys that look like an abort marker', async () => {
    const key = Buffer.from([0, 0, 0, 0])
    const [first, second] = [await fenced(), await newLog(newOwner(), { partition: 1 })]
    await second.commitLog.fence()
    const [a, b] = [first.commitLog.begin(), second.commitLog.begin()]
    a.send(output(input, 'aborted 1', { key }), 'exactly-once')
    b.send(output(input, 'aborted 2', { key }), 'exactly-once')
    await Promise.all([a.prepare([]), b.prepare([])])
    await b.abort()
    await a.abort()
    const c = first.commitLog.begin()
    c.send(output(input, 'committed', { key }), 'exactly-once')
    await c.prepare([])
    await c.commit(new Map(), baseMetadata)
    expect((await world.readAll(input, 0)).map(({ raw }) => raw?.toString())).toEqual(['committed'])
  })

  it('stops a read with the place when retention has removed what comes next, and commits nothing to the group', async () => {
    await world.appendTexts(input, 0, ['a', 'b', 'c', 'd'])
    const log = await fenced()
    await commit(log, [], 1)
    const leader = await world.cluster.pool.broker(await world.cluster.leaderOf(input, 0))
    await leader.deleteRecords({ topics: [{ topic: input, partitions: [{ partition: 0, offset: '3' }] }] })
    const reader = log.inputs.read(at({ [input]: 1 }), null)
    await new Promise<void>((resolve) => {
      reader.whenReadable(resolve)
    })
    expect(reader.failure).toMatchObject({
      code: 'data-removed',
      message: expect.stringMatching(new RegExp(`${input} 0@1, and the topic now holds 3 to 4: retention`)),
    })
    await log.commitLog.fence()
    expect(await log.commitLog.committed()).toEqual(
      new Map([[input, { position: 1, metadata: expect.stringContaining('"epoch":0') }]]),
    )
  })

  it('hands nothing out while the group rebalances, and goes on where it was', async () => {
    await world.appendTexts(input, 0, ['a', 'b', 'c'])
    const log = await fenced()
    const reader = log.inputs.read(at({ [input]: 0 }), at({ [input]: 3 }))
    await new Promise<void>((resolve) => {
      reader.whenReadable(resolve)
    })
    expect(reader.next()?.raw?.toString()).toBe('a')
    log.inputs.hold()
    expect([reader.readable, reader.done, reader.next()]).toEqual([false, false, undefined])
    let woken = false
    reader.whenReadable(() => {
      woken = true
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(woken).toBe(false)
    log.inputs.release()
    expect(woken).toBe(true)
    expect((await take(reader)).map(({ raw }) => raw?.toString())).toEqual(['b', 'c'])
  })

  it('reads all of a long backlog through a short queue', async () => {
    const values = Array.from({ length: 3_000 }, (_, n) => `value-${String(n)}`)
    for (let from = 0; from < values.length; from += 100)
      await world.appendTexts(input, 0, values.slice(from, from + 100))
    const log = await newLog(newOwner(), { config: { readAhead: { records: 100, bytes: 1024 * 1024 } } })
    const reader = log.inputs.read(at({ [input]: 0 }), at({ [input]: 3_000 }))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await take(reader)).toHaveLength(3_000)
  })
})
