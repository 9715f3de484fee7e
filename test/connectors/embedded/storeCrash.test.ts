import { describe, expect, test } from 'vitest'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import type { OutputRecord } from '../../../src/core/record.ts'
import { commitMetadata } from '../../support/commitMetadata.ts'
import { callsOf, dieAt, everyCrash, type MortalProcess } from '../../support/crashes/mortalProcess.ts'
import { Disk, openOnDisk } from './diskStorage.ts'
import { jobLogSpec, joinTask } from './embeddedJob.ts'
import { at } from '../../support/positions.ts'
import { offsetOf } from '../../../src/core/offsetPosition.ts'

const table = { keyspace: 'app', table: 't', columns: { id: 'int' }, primaryKey: [['id'], []], rows: [{ id: 1 }] }

function output(topic: string, value: string): OutputRecord {
  return { topic, partition: 0, key: null, value: Buffer.from(value), headers: [], timestamp: 1 }
}

/** What has been promised so far, by a call that has resolved. */
interface Promised {
  epoch: number
  appended: number
}

/** Appends, epochs with two outputs and two changelog entries each, and compactions, until it is done or dies. */
async function work(store: EmbeddedStore, promised: Promised): Promise<void> {
  await store.createTopic('in')
  await store.append([output('in', 'first')])
  promised.appended = 1
  const task = await joinTask(store, jobLogSpec(['in']))
  await task.commitLog.fence()
  for (let epoch = 1; epoch <= 4; epoch += 1) {
    const transaction = task.commitLog.begin()
    transaction.send(output('out', String(epoch)), 'exactly-once')
    transaction.send(output('dead', String(epoch)), 'exactly-once')
    const entries = ['same', `own-${String(epoch)}`].map((key) => ({
      key: Buffer.from(key),
      value: Buffer.from(String(epoch)),
    }))
    const changelogEnd = await transaction.prepare(entries)
    await transaction.commit(at({ in: epoch }), commitMetadata({ epoch, changelogEnd }))
    promised.epoch = epoch
    if (epoch % 2 === 0) await task.changelog.compact(() => true)
  }
}

/** Everything that stands in the store, as the epoch that it must be. */
async function check(disk: Disk, promised: Promised): Promise<void> {
  const store = await openOnDisk(disk, { partitions: 1 })
  const values = async (topic: string): Promise<readonly string[]> =>
    store.topics.find(topic) === undefined
      ? []
      : (await store.readPage({ topic, partition: 0, from: 0, limit: 1_000 })).records.map(
          ({ raw }) => raw?.toString() ?? '',
        )
  if (promised.appended > 0) expect(await values('in')).toEqual(['first'])
  if (store.topics.find('in') === undefined) {
    expect(promised).toEqual({ epoch: 0, appended: 0 })
    return
  }
  const task = await joinTask(store, jobLogSpec(['in']))
  await task.commitLog.fence()
  const committed = (await task.commitLog.committed()).get('in')
  const epoch = committed === undefined ? 0 : offsetOf(committed.position)
  expect([promised.epoch, promised.epoch + 1]).toContain(epoch)
  const epochs = Array.from({ length: epoch }, (_, n) => String(n + 1))
  expect(await values('out')).toEqual(epochs)
  expect(await values('dead')).toEqual(epochs)
  const state = new Map<string, string>()
  for await (const entries of task.changelog.read(0, (await task.changelog.range()).end)) {
    for (const { key, value } of entries) state.set(key.toString(), value?.toString() ?? '')
  }
  expect((await task.changelog.range()).end).toBe(epoch * 2)
  const own = epochs.map((n): [string, string] => [`own-${n}`, n])
  expect(state).toEqual(new Map(epoch === 0 ? [] : [['same', String(epoch)], ...own]))
}

describe('a crash at every call of the storage', () => {
  test('leaves whole epochs: outputs, dead letters, changelog and positions agree, and what was promised is there', async () => {
    const run = async (disk: Disk, mortal: MortalProcess, promised: Promised): Promise<void> =>
      work(await openOnDisk(disk, { partitions: 1, mortal }), promised)
    const calls = await callsOf((mortal) => run(new Disk(), mortal, { epoch: 0, appended: 0 }))
    expect(calls).toBeGreaterThan(20)
    for (const crash of everyCrash(calls)) {
      const disk = new Disk()
      const promised = { epoch: 0, appended: 0 }
      await dieAt(crash, (mortal) => run(disk, mortal, promised))
      disk.loseUnsynced()
      await check(disk, promised)
    }
  })

  test('is seen to lose what was promised when nothing is synced', async () => {
    const disk = new Disk()
    const promised = { epoch: 0, appended: 0 }
    await work(await openOnDisk(disk, { partitions: 1, ignoreSync: true }), promised)
    disk.loseUnsynced()
    await expect(check(disk, promised)).rejects.toThrow(/expected/)
  })

  test('leaves a sample that is whole, or an empty store', async () => {
    // Three writes of records.
    const records = Array.from({ length: 3 }, () => ({ ...output('in', ''), value: Buffer.alloc(4 * 1024 * 1024) }))
    const load = async (disk: Disk, mortal: MortalProcess): Promise<void> =>
      (await openOnDisk(disk, { partitions: 1, mortal })).loadSample({ records, tables: [table] })
    const found = new Set<string>()
    for (const crash of everyCrash(await callsOf((mortal) => load(new Disk(), mortal)))) {
      const disk = new Disk()
      await dieAt(crash, (mortal) => load(disk, mortal))
      const store = await openOnDisk(disk, { partitions: 1 })
      if (store.isEmpty()) found.add('empty')
      else {
        expect(await store.describeTopic('in')).toMatchObject({ endOffsets: [3] })
        expect((await store.readTable('app', 't', { after: null, limit: 10 })).rows).toHaveLength(1)
        found.add('whole')
      }
    }
    expect([...found].sort()).toEqual(['empty', 'whole'])
  })

  test('leaves a store that is cleared, or as it was', async () => {
    const clear = async (disk: Disk, mortal: MortalProcess): Promise<void> =>
      (await openOnDisk(disk, { partitions: 1, mortal })).clear()
    const whole = new Disk()
    const filled = await openOnDisk(whole, { partitions: 1 })
    await filled.loadSample({ records: [output('in', 'x')], tables: [table] })
    for (const crash of everyCrash(await callsOf((mortal) => clear(whole.copy(), mortal)))) {
      const disk = whole.copy()
      await dieAt(crash, (mortal) => clear(disk, mortal))
      const store = await openOnDisk(disk, { partitions: 1 })
      if (store.isEmpty()) {
        expect(disk.written.size).toBe(1)
        continue
      }
      expect(await store.describeTopic('in')).toMatchObject({ endOffsets: [1] })
      expect((await store.readTable('app', 't', { after: null, limit: 10 })).rows).toHaveLength(1)
    }
  })
})
