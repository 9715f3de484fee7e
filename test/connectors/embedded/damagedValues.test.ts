import { beforeAll, describe, expect, test } from 'vitest'
import { findOffsetAtTime, readLogPage } from '../../../src/connectors/embedded/store/readLogPage.ts'
import { compactChangelog } from '../../../src/connectors/embedded/store/changelogCompaction.ts'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { encodeLostRange } from '../../../src/connectors/embedded/store/recordBatch.ts'
import { batchKey } from '../../../src/connectors/embedded/store/storeKeys.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'
import { dumpDisk, fillStore } from './damagedDisk.ts'
import { Disk, openOnDisk } from './diskStorage.ts'
import { jobLogSpec, joinTask } from './embeddedJob.ts'
import { at } from '../../support/positions.ts'

let whole: Disk

beforeAll(async () => {
  whole = new Disk()
  await fillStore(await openOnDisk(whole))
})

/** What is said of a damaged disk, with what was done to it, so that a failure tells which. */
async function saidOf(disk: Disk, what: string): Promise<string> {
  const found = await dumpDisk(disk)
  return `${JSON.stringify(what)}: ${found instanceof TidemarkError ? found.code : 'nothing'}`
}

describe('a value of the embedded store', () => {
  test('that is changed anywhere is damage, whatever it is', async () => {
    const random = seededRandom(9)
    for (const [name, [, value]] of whole.written) {
      for (let trial = 0; trial < 6; trial += 1) {
        const disk = whole.copy()
        const place = Math.floor(random.next() * value.length)
        const changed = disk.written.get(name)?.[1] ?? Buffer.alloc(0)
        changed[place] = (changed[place] ?? 0) ^ (1 << Math.floor(random.next() * 8))
        // Byte 1 of `2 <id>` and the like: another format, which is refused by its own name.
        if (name === '\u0001' && place === 0) continue
        expect(await saidOf(disk, `${name} byte ${String(place)}`)).toMatch(/corrupt-store$/)
      }
    }
  })

  test('that stands under the key of another one is damage', async () => {
    const names = [...whole.written.keys()].filter((name) => name !== '\u0001')
    for (const [index, name] of names.entries()) {
      const other = names[(index + 1) % names.length] ?? ''
      const disk = whole.copy()
      const entries = new Map(disk.written)
      const [key] = entries.get(name) ?? fail()
      entries.set(name, [key, Buffer.from(entries.get(other)?.[1] ?? fail())])
      disk.written = entries
      expect(await saidOf(disk, name)).toMatch(/corrupt-store$/)
    }
  })

  test('that comes from another store with the same content is damage', async () => {
    const other = new Disk()
    await fillStore(await openOnDisk(other))
    for (const [name, [key, value]] of other.written) {
      if (name === '\u0001') continue
      const disk = whole.copy()
      const entries = new Map(disk.written)
      entries.set(name, [key, value])
      disk.written = entries
      expect(await saidOf(disk, name)).toMatch(/corrupt-store$/)
    }
  })

  test('names what it is of', async () => {
    const messages: string[] = []
    for (const tag of ['t', 'o', 'd', 'r', 'w', 'c']) {
      const disk = whole.copy()
      const [, [, value]] = [...disk.written].find(([name]) => name.startsWith(tag)) ?? fail()
      value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
      const found = await dumpDisk(disk)
      if (!(found instanceof TidemarkError)) throw new Error(`nothing was said of ${tag}`)
      messages.push(found.message.split('.')[0]?.slice(0, 80) ?? '')
      expect(found.message).toMatch(/npx tidemark store check.*npx tidemark store salvage <new directory>/)
    }
    expect(messages.map((message) => message.replace(/[0-9a-f]{16}/, '…'))).toEqual([
      expect.stringMatching(/^The settings of topic in /),
      expect.stringMatching(/^The committed offset of group group for in, partition 0,/),
      expect.stringMatching(/^The definition of table shop/),
      expect.stringMatching(/^The batch that ends at in 0@\d+ is damaged/),
      expect.stringMatching(/^A row of table shop/),
      expect.stringMatching(/^The progress of a compaction/),
    ])
  })
})

test('a lookup of a row that is damaged stops the job, by its table and a digest of its key', async () => {
  const disk = whole.copy()
  for (const [name, [, value]] of disk.written) if (name.startsWith('w')) value[0] = (value[0] ?? 0) ^ 1
  const store = await openOnDisk(disk)
  const outcome = await store.getRow({ keyspace: 'shop', tableName: 'users', pk: 3 })
  expect(outcome).toMatchObject({
    kind: 'error',
    error: {
      code: 'corrupt-store',
      kind: 'guard',
      details: { keyspace: 'shop', table: 'users', key: expect.stringMatching(/^[0-9a-f]{16}$/) },
    },
  })
})

function compact(store: EmbeddedStore): Promise<void> {
  return compactChangelog(store.storage, store.topics.partition('job-source-changelog', 0), {
    keep: () => true,
    nowMs: 0,
  })
}

function fail(): never {
  throw new Error('the store has no such entry')
}

describe('a range that is said to be lost', () => {
  let store: EmbeddedStore
  const lost = { code: 'data-removed', details: { topic: 'in', partition: 0, offset: 2, until: 4 } }

  beforeAll(async () => {
    store = await openOnDisk(whole.copy())
    const log = store.topics.partition('in', 0)
    const [second, third] = [2, 3].map((offset) => batchKey(log.topicId, 0, offset))
    const key = third ?? fail()
    const value = encodeLostRange({ first: 2, last: 3 }, log.seal.ofKey(key))
    await store.storage.write([
      { type: 'del', key: second ?? fail() },
      { type: 'put', key, value },
    ])
  })

  test('is read up to, and not over; what is behind it is there', async () => {
    const page = await store.readPage({ topic: 'in', partition: 0, from: 0, limit: 2 })
    expect(page.records.map(({ offset }) => offset)).toEqual([0, 1])
    for (const from of [0, 2, 3]) {
      await expect(store.readPage({ topic: 'in', partition: 0, from, limit: 100 })).rejects.toMatchObject(lost)
    }
    const behind = await store.readPage({ topic: 'in', partition: 0, from: 4, limit: 100 })
    expect(behind.records.map(({ offset }) => offset)).toEqual([4, 5])
  })

  test('stops a task that would read over it', async () => {
    const task = await joinTask(store, jobLogSpec(['in']))
    const reader = task.inputs.read(at({ in: 0 }), at({ in: 6 }))
    for (let turn = 0; turn < 10 && reader.failure === null; turn += 1) {
      while (reader.next() !== undefined);
      await new Promise<void>((resolve) => {
        reader.whenReadable(resolve)
      })
    }
    expect(reader.failure).toMatchObject(lost)
  })

  test('is where a search for a time ends that would pass it', async () => {
    const log = store.topics.partition('in', 0)
    expect(await findOffsetAtTime(store.storage, log, 1)).toBe(0)
    expect(await findOffsetAtTime(store.storage, log, 2)).toBe(6)
    await store.append([{ topic: 'in', partition: 0, key: null, value: null, headers: [], timestamp: 5 }])
    expect(await findOffsetAtTime(store.storage, log, 2)).toBe(6)
  })
})

describe('a batch that is gone from the middle of a partition', () => {
  let store: EmbeddedStore

  beforeAll(async () => {
    const disk = whole.copy()
    store = await openOnDisk(disk)
    for (const topic of ['in', 'job-source-changelog']) {
      const { topicId } = store.topics.partition(topic, 0)
      const names = [...disk.written.keys()].filter((name) =>
        name.startsWith(batchKey(topicId, 0, 0).toString('latin1', 0, 9)),
      )
      const entries = new Map(disk.written)
      entries.delete(names.sort()[1] ?? '')
      disk.written = entries
    }
  })

  const gap = { code: 'corrupt-store', message: expect.stringMatching(/offsets \d+ to \d+ of partition 0 are missing/) }

  test('is seen by a page, wherever it begins', async () => {
    await expect(store.readPage({ topic: 'in', partition: 0, from: 0, limit: 100 })).rejects.toMatchObject(gap)
    await expect(store.readPage({ topic: 'in', partition: 0, from: 1, limit: 100 })).rejects.toMatchObject({
      code: 'corrupt-store',
      details: { topic: 'in', partition: 0, offset: 1, until: 2 },
    })
  })

  test('is seen by a task that reads', async () => {
    const task = await joinTask(store, jobLogSpec(['in']))
    const reader = task.inputs.read(at({ in: 0 }), at({ in: 6 }))
    for (let turn = 0; turn < 10 && reader.failure === null; turn += 1) {
      while (reader.next() !== undefined);
      await new Promise<void>((resolve) => {
        reader.whenReadable(resolve)
      })
    }
    expect(reader.done).toBe(false)
    expect(reader.failure).toMatchObject(gap)
  })

  test('is seen by a search for a time', async () => {
    await expect(findOffsetAtTime(store.storage, store.topics.partition('in', 0), 2)).rejects.toMatchObject(gap)
  })

  test('is seen by a restore from the changelog, and by its compaction', async () => {
    const task = await joinTask(store, jobLogSpec(['in']))
    const read = async (): Promise<void> => {
      for await (const _entries of task.changelog.read(0, (await task.changelog.range()).end));
    }
    await expect(read()).rejects.toMatchObject(gap)
    await expect(compact(store)).rejects.toMatchObject(gap)
  })

  test('is no end of the partition where it is the last one that is asked for', async () => {
    const log = store.topics.partition('in', 0)
    await expect(
      readLogPage(store.storage, log, { from: 1, until: 2, maxBatches: 8, maxBytes: 1e6 }),
    ).rejects.toMatchObject(gap)
  })
})
