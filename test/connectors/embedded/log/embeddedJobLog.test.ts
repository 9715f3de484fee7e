import { beforeEach, describe, expect, test } from 'vitest'
import type { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { commitMetadata } from '../../../support/commitMetadata.ts'
import { Disk, openOnDisk } from '../diskStorage.ts'
import { jobLogSpec, joinJob } from '../embeddedJob.ts'
import { at } from '../../../support/positions.ts'

describe('embedded job log', () => {
  let disk: Disk
  let store: EmbeddedStore
  const open = (): Promise<EmbeddedStore> => openOnDisk(disk)

  beforeEach(async () => {
    disk = new Disk()
    store = await open()
    await store.createTopic('orders', { partitions: 3 })
    await store.createTopic('payments', { partitions: 2 })
  })

  test('deals out every partition at once, each task with the topics that have it', async () => {
    const { log, tasks } = await joinJob(store, jobLogSpec(['orders', 'payments']))
    expect([...log.partitionCounts]).toEqual([
      ['orders', 3],
      ['payments', 2],
    ])
    expect(tasks.map(({ partition, inputs }) => [partition, inputs.topics])).toEqual([
      [0, ['orders', 'payments']],
      [1, ['orders', 'payments']],
      [2, ['orders']],
    ])
  })

  test('refuses inputs that belong together and have other partition counts', async () => {
    await expect(joinJob(store, jobLogSpec(['orders', 'payments'], { copartitioned: true }))).rejects.toMatchObject({
      code: 'invalid-plan',
      message: expect.stringContaining('orders 3, payments 2'),
    })
  })

  test('names a topic that does not exist, and the command that makes it', async () => {
    await expect(joinJob(store, jobLogSpec(['orders', 'refunds']))).rejects.toMatchObject({
      code: 'unknown-topic',
      message: expect.stringContaining('npx tidemark topic create refunds'),
    })
    expect((await store.listTopics({ internal: true })).map(({ name }) => name)).toEqual(['orders', 'payments'])
  })

  test('reads the topics that a pattern matches, but none of its own', async () => {
    await joinJob(store, jobLogSpec(['orders']))
    const pattern = (regexp: RegExp): ReturnType<typeof joinJob> =>
      joinJob(store, jobLogSpec([], { inputs: [{ kind: 'pattern', pattern: regexp }] }))
    expect([...(await pattern(/s/g)).log.partitionCounts.keys()]).toEqual(['orders', 'payments'])
    expect([...(await pattern(/^pay/)).log.partitionCounts.keys()]).toEqual(['payments'])
    await expect(pattern(/nothing/)).rejects.toMatchObject({ code: 'unknown-topic' })
  })

  test('makes the outputs it knows of, so that they can be read before the first record', async () => {
    await joinJob(store, jobLogSpec(['orders'], { outputs: ['out', 'orders', 'out'] }))
    expect((await store.describeTopic('out')).partitions).toBe(4)
    expect((await store.describeTopic('orders')).partitions).toBe(3)
  })

  test('gives the changelog more partitions when the input has more', async () => {
    const { tasks } = await joinJob(store, jobLogSpec(['payments']))
    await tasks[1]?.commitLog.fence()
    const transaction = tasks[1]?.commitLog.begin()
    await transaction?.prepare([{ key: Buffer.from('k'), value: Buffer.from('v') }])
    await transaction?.commit(new Map(), commitMetadata({ inputs: 0, changelogEnd: 1 }))
    const joined = await joinJob(store, jobLogSpec(['orders']))
    const ends = await Promise.all(joined.tasks.map(async (task) => (await task.changelog.range()).end))
    expect(ends).toEqual([0, 1, 0])
    store = await open()
    expect(await store.describeTopic('job-source-changelog')).toMatchObject({ internal: true, endOffsets: [0, 1, 0] })
  })

  test('refuses a changelog whose name a topic has already', async () => {
    await store.createTopic('job-source-changelog')
    await expect(joinJob(store, jobLogSpec(['orders']))).rejects.toMatchObject({ code: 'invalid-plan' })
  })

  test('closes the readers of its tasks when it leaves', async () => {
    await store.append([{ topic: 'orders', partition: 0, key: null, value: null, headers: [], timestamp: 1 }])
    const { log, tasks } = await joinJob(store, jobLogSpec(['orders']))
    const reader = tasks[0]?.inputs.read(at({ orders: 0 }), null)
    await new Promise<void>((resolve) => reader?.whenReadable(resolve))
    await log.leave()
    expect(reader?.next()).toBeUndefined()
  })
})

describe('embedded task reader', () => {
  test('fails at a position that the log does not have, and says so', async () => {
    const store = await openOnDisk(new Disk())
    await store.createTopic('in')
    const { tasks } = await joinJob(store, jobLogSpec(['in']))
    const reader = tasks[0]?.inputs.read(at({ in: 5 }), null)
    await new Promise<void>((resolve) => reader?.whenReadable(resolve))
    expect(reader?.failure).toMatchObject({ code: 'data-removed', message: expect.stringContaining('in 0@5') })
  })

  test('fails when stored bytes are damaged', async () => {
    const disk = new Disk()
    const store = await openOnDisk(disk)
    await store.append([{ topic: 'in', partition: 0, key: null, value: Buffer.from('x'), headers: [], timestamp: 1 }])
    for (const [key, value] of disk.written.values())
      if (key[0] === 'r'.charCodeAt(0)) value.fill(0xff, value.length - 1)
    const { tasks } = await joinJob(store, jobLogSpec(['in']))
    const reader = tasks[0]?.inputs.read(at({ in: 0 }), null)
    await new Promise<void>((resolve) => reader?.whenReadable(resolve))
    expect(reader?.failure).toMatchObject({ code: 'corrupt-store' })
    expect(reader?.next()).toBeUndefined()
  })
})
