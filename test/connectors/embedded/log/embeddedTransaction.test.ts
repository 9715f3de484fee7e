import { describe, expect, test } from 'vitest'
import { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../../../src/core/record.ts'
import type { Storage } from '../../../../src/connectors/embedded/store/storage.ts'
import { DiskStorage, Disk } from '../diskStorage.ts'
import { commitMetadata } from '../../../support/commitMetadata.ts'
import { jobLogSpec, joinTask } from '../embeddedJob.ts'
import { at } from '../../../support/positions.ts'

function output(topic: string, part: Partial<OutputRecord> = {}): OutputRecord {
  return { topic, partition: 0, key: null, value: Buffer.from('value'), headers: [], timestamp: 1, ...part }
}

async function openStore(storage: Storage = new DiskStorage(new Disk())): Promise<EmbeddedStore> {
  const store = await EmbeddedStore.open('/nowhere', {
    clock: systemClock,
    openStorage: () => Promise.resolve(storage),
  })
  await store.createTopic('in')
  return store
}

const positions = at({ in: 0 })

describe('embedded transaction', () => {
  test('refuses a record that its topic does not take, and goes on', async () => {
    const store = await openStore()
    await store.createTopic('small', { maxMessageBytes: 4 })
    const task = await joinTask(store, jobLogSpec(['in']))
    const refusal = (topic: string, bytes: number) =>
      task.outputs.refusal({ topic, partition: null, key: null, value: Buffer.alloc(bytes), headers: [], timestamp: 0 })
    expect(refusal('small', 4)).toBeNull()
    expect(refusal('small', 5)).toMatchObject({ code: 'record-too-large', details: { maxBytes: 4 } })
    expect(refusal('not there', 16 * 1024 * 1024)).toBeNull()
    expect(refusal('not there', 16 * 1024 * 1024 + 1)?.code).toBe('record-too-large')
    await task.commitLog.fence()
    const transaction = task.commitLog.begin()
    expect(() => {
      transaction.send(output('small'), 'exactly-once')
    }).toThrow(expect.objectContaining({ code: 'record-too-large' }))
    transaction.send(output('small', { value: Buffer.from('ok') }), 'exactly-once')
    await transaction.prepare([])
    await transaction.commit(positions, commitMetadata())
    expect((await store.describeTopic('small')).endOffsets[0]).toBe(1)
  })

  test('is refused when a topic it reckoned with is made otherwise meanwhile, and succeeds when it is sent again', async () => {
    const store = await openStore()
    const task = await joinTask(store, jobLogSpec(['in']))
    await task.commitLog.fence()
    const send = async (): Promise<void> => {
      const transaction = task.commitLog.begin()
      transaction.send(output('new', { partition: null, key: Buffer.from('k') }), 'exactly-once')
      if (store.topics.find('new') === undefined) await store.createTopic('new', { partitions: 7 })
      await transaction.prepare([])
      await transaction.commit(positions, commitMetadata())
    }
    await expect(send()).rejects.toMatchObject({ code: 'commit-failed' })
    expect((await task.commitLog.committed()).size).toBe(0)
    await send()
    expect((await store.describeTopic('new')).endOffsets.reduce((sum, end) => sum + end)).toBe(1)
  })

  test('that cannot be written is a failed commit, and nothing of it is seen', async () => {
    const real = new DiskStorage(new Disk())
    let broken = false
    const storage: Storage = {
      get: (key) => real.get(key),
      getText: (key) => real.getText(key),
      scan: (request) => real.scan(request),
      write: (operations) => (broken ? Promise.reject(new Error('disk full')) : real.write(operations)),
      clear: (range) => real.clear(range),
      close: () => real.close(),
    }
    const store = await openStore(storage)
    const task = await joinTask(store, jobLogSpec(['in'], { outputs: ['out'] }))
    await task.commitLog.fence()
    const attempt = async (): Promise<void> => {
      const transaction = task.commitLog.begin()
      transaction.send(output('out'), 'exactly-once')
      await transaction.prepare([{ key: Buffer.from('k'), value: null }])
      await transaction.commit(positions, commitMetadata())
    }
    broken = true
    await expect(attempt()).rejects.toMatchObject({
      code: 'commit-failed',
      message: expect.stringContaining('disk full'),
    })
    expect((await store.describeTopic('out')).endOffsets[0]).toBe(0)
    expect((await task.changelog.range()).end).toBe(0)
    broken = false
    await attempt()
    expect((await store.describeTopic('out')).endOffsets[0]).toBe(1)
  })

  test('is used in its order only', async () => {
    const store = await openStore()
    const task = await joinTask(store, jobLogSpec(['in']))
    await task.commitLog.fence()
    const illegal = expect.objectContaining({ code: 'broken-invariant' })
    await expect(task.commitLog.begin().commit(positions, commitMetadata())).rejects.toEqual(illegal)
    const aborted = task.commitLog.begin()
    await aborted.abort()
    expect(() => {
      aborted.send(output('out'), 'exactly-once')
    }).toThrow(illegal)
    await expect(aborted.prepare([])).rejects.toEqual(illegal)
    const prepared = task.commitLog.begin()
    await prepared.prepare([])
    expect(() => {
      prepared.send(output('out'), 'exactly-once')
    }).toThrow(illegal)
  })

  test('given up while its commit waits for its turn is not written', async () => {
    const store = await openStore()
    const task = await joinTask(store, jobLogSpec(['in']))
    await task.commitLog.fence()
    const transaction = task.commitLog.begin()
    transaction.send(output('out'), 'exactly-once')
    await transaction.prepare([])
    const commit = transaction.commit(positions, commitMetadata())
    await transaction.abort()
    await expect(commit).rejects.toMatchObject({ code: 'commit-failed' })
    expect(store.topics.find('out')).toBeUndefined()
  })

  test('of a task that was never fenced is refused', async () => {
    const store = await openStore()
    const transaction = (await joinTask(store, jobLogSpec(['in']))).commitLog.begin()
    await transaction.prepare([])
    await expect(transaction.commit(positions, commitMetadata())).rejects.toMatchObject({ code: 'commit-failed' })
  })

  test('refuses a state value that its changelog does not take', async () => {
    const store = await openStore()
    const transaction = (await joinTask(store, jobLogSpec(['in']))).commitLog.begin()
    const value = Buffer.alloc(16 * 1024 * 1024)
    await expect(transaction.prepare([{ key: Buffer.from('k'), value }])).rejects.toMatchObject({
      code: 'state-too-large',
    })
  })
})
