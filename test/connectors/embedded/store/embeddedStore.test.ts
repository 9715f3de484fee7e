import { join } from 'node:path'
import { Level } from 'level'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { openLevelStorage } from '../../../../src/connectors/embedded/store/levelStorage.ts'
import { formatKey } from '../../../../src/connectors/embedded/store/storeKeys.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import type { OutputRecord, StreamRecord } from '../../../../src/core/record.ts'
import { jobLogSpec, joinTask } from '../embeddedJob.ts'
import { temporaryDirectory } from '../temporaryDirectory.ts'
import { at } from '../../../support/positions.ts'

const users = {
  keyspace: 'app',
  table: 'users',
  columns: { id: 'int', name: 'text' },
  primaryKey: [['id'], []],
  rows: [
    { id: 1, name: 'one' },
    { id: 2, name: null },
  ],
}

const collectGarbage: () => void = (() => {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc !== 'function') throw new Error('There is no gc')
  return () => {
    Reflect.apply(gc, undefined, [])
  }
})()

function output(topic: string, part: Partial<OutputRecord> = {}): OutputRecord {
  return { topic, partition: null, key: null, value: Buffer.from('value'), headers: [], timestamp: 1, ...part }
}

describe('embedded store', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let store: EmbeddedStore

  const open = (): Promise<EmbeddedStore> => EmbeddedStore.open(join(directory.path, 'log'), { clock: systemClock })
  const reopen = async (): Promise<void> => {
    await store.close()
    store = await open()
  }
  const read = async (topic: string, partition: number): Promise<readonly StreamRecord[]> =>
    (await store.readPage({ topic, partition, from: 0, limit: 100_000 })).records
  const texts = async (topic: string, partition: number): Promise<readonly (string | undefined)[]> =>
    (await read(topic, partition)).map(({ raw }) => raw?.toString())

  beforeEach(async () => {
    directory = await temporaryDirectory()
    store = await open()
  })
  afterEach(async () => {
    await store.close()
    await directory.remove()
  })

  describe('topics', () => {
    test('are made with partitions and a largest record, and stay', async () => {
      await store.createTopic('b', { partitions: 2, maxMessageBytes: 5_000 })
      await store.createTopic('a')
      await reopen()
      expect(await store.listTopics()).toEqual([
        { name: 'a', partitions: 4, maxMessageBytes: 16 * 1024 * 1024, internal: false, endOffsets: [0, 0, 0, 0] },
        { name: 'b', partitions: 2, maxMessageBytes: 5_000, internal: false, endOffsets: [0, 0] },
      ])
    })

    test('are made on the first write', async () => {
      expect(await store.append([output('new')])).toBe(1)
      expect(await store.describeTopic('new')).toMatchObject({ partitions: 4, endOffsets: [1, 0, 0, 0] })
    })

    test.each(['', '.', '..', 'a b', 'a/b', 'ü', 'x'.repeat(250), '\0', '__proto__ '])(
      'with the name %j are refused',
      async (name) => {
        await expect(store.createTopic(name)).rejects.toMatchObject({ code: 'invalid-argument' })
        await expect(store.append([output(name)])).rejects.toMatchObject({ code: 'invalid-argument' })
        expect(await store.listTopics()).toEqual([])
      },
    )

    test.each([{ partitions: 0 }, { partitions: 1.5 }, { partitions: 1e9 }, { maxMessageBytes: 0 }])(
      'with %j are refused',
      async (options) => {
        await expect(store.createTopic('t', options)).rejects.toMatchObject({ code: 'invalid-argument' })
      },
    )

    test('that exist are not made again, and unknown ones are named with the remedy', async () => {
      await store.createTopic('t')
      await expect(store.createTopic('t')).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(store.describeTopic('u')).rejects.toMatchObject({
        code: 'unknown-topic',
        message: expect.stringContaining('npx tidemark topic create u'),
      })
    })

    test('of a job are hidden unless asked for, and nobody else writes them', async () => {
      await store.createTopic('in')
      await joinTask(store, jobLogSpec(['in']))
      expect((await store.listTopics()).map(({ name }) => name)).toEqual(['in'])
      expect((await store.listTopics({ internal: true })).map(({ name }) => name)).toEqual([
        'in',
        'job-source-changelog',
      ])
      await expect(store.append([output('job-source-changelog')])).rejects.toMatchObject({ code: 'invalid-argument' })
    })
  })

  describe('records', () => {
    test('with a key go where the Java client puts them, without one round-robin from 0 on, also after a restart', async () => {
      await store.createTopic('t', { partitions: 3 })
      // murmur2('foobar') & 0x7fffffff is 1357151166, which 3 divides.
      await store.append([output('t', { key: Buffer.from('foobar') })])
      expect((await store.describeTopic('t')).endOffsets).toEqual([1, 0, 0])
      await store.append([output('u'), output('u'), output('u'), output('u'), output('u')])
      expect((await store.describeTopic('u')).endOffsets).toEqual([2, 1, 1, 1])
      await reopen()
      await store.append([output('u')])
      expect((await store.describeTopic('u')).endOffsets).toEqual([2, 2, 1, 1])
    })

    test('go to the partition they name, and to none that is not there', async () => {
      await store.append([output('t', { partition: 3 })])
      expect((await store.describeTopic('t')).endOffsets).toEqual([0, 0, 0, 1])
      for (const partition of [4, -1, 0.5, NaN]) {
        await expect(store.append([output('t', { partition })])).rejects.toMatchObject({ code: 'invalid-argument' })
      }
    })

    test('above max.message.bytes are refused, and those at it are taken', async () => {
      await store.createTopic('t', { maxMessageBytes: 100 })
      const headers: OutputRecord['headers'] = [['ab', Buffer.alloc(8)]]
      const key = Buffer.alloc(10)
      await store.append([output('t', { key, value: Buffer.alloc(70), headers })])
      await expect(store.append([output('t', { key, value: Buffer.alloc(71), headers })])).rejects.toMatchObject({
        code: 'record-too-large',
        kind: 'record',
        details: { topic: 't', bytes: 101, maxBytes: 100 },
      })
    })

    test('are all there after a restart, and new ones go on behind them', async () => {
      await store.append([
        output('t', { partition: 0, value: Buffer.from('a') }),
        output('t', { partition: 0, value: Buffer.from('b') }),
      ])
      await reopen()
      await store.append([output('t', { partition: 0, value: Buffer.from('c') })])
      expect(await texts('t', 0)).toEqual(['a', 'b', 'c'])
      expect((await read('t', 0)).map(({ offset }) => offset)).toEqual([0, 1, 2])
    })

    test('of appends at the same time all get offsets of their own, each append in its order', async () => {
      const writers = [...Array(10).keys()].map((writer) =>
        store.append(
          Array.from({ length: 50 }, (_, n) =>
            output('t', { partition: 0, value: Buffer.from(`${String(writer)} ${String(n)}`) }),
          ),
        ),
      )
      await Promise.all(writers)
      const all = await texts('t', 0)
      expect(all).toHaveLength(500)
      for (let writer = 0; writer < 10; writer += 1) {
        const own = all.filter((text) => text?.startsWith(`${String(writer)} `) === true)
        expect(own).toEqual(Array.from({ length: 50 }, (_, n) => `${String(writer)} ${String(n)}`))
      }
    })

    test('are read page by page, by count and by bytes', async () => {
      await store.append(
        Array.from({ length: 2_500 }, (_, n) => output('t', { partition: 0, value: Buffer.from(String(n)) })),
      )
      const first = await store.readPage({ topic: 't', partition: 0, from: 999, limit: 3 })
      expect(first.records.map(({ offset }) => offset)).toEqual([999, 1_000, 1_001])
      expect(first).toMatchObject({ next: 1_002, end: 2_500 })
      const second = await store.readPage({ topic: 't', partition: 0, from: first.next, limit: 10_000, maxBytes: 1 })
      expect(second.records[0]?.offset).toBe(1_002)
      expect(second.next).toBe(2_000)
      expect(await store.readPage({ topic: 't', partition: 0, from: 2_500, limit: 10 })).toEqual({
        records: [],
        next: 2_500,
        end: 2_500,
      })
    })

    test('200,000 of them are written and read with little memory', async () => {
      const value = Buffer.alloc(700, 'x')
      const peak = { bytes: 0 }
      const live = (): number => {
        collectGarbage()
        return process.memoryUsage().heapUsed + process.memoryUsage().external
      }
      const look = (): void => {
        peak.bytes = Math.max(peak.bytes, live())
      }
      function* records(): Generator<OutputRecord> {
        for (let n = 0; n < 200_000; n += 1) {
          if (n % 40_000 === 39_999) look()
          yield output('t', { key: Buffer.from(String(n)), value, timestamp: n })
        }
      }
      const before = live()
      await store.loadSample({ records: records(), tables: [] })
      const { endOffsets } = await store.describeTopic('t')
      expect(endOffsets.reduce((sum, end) => sum + end, 0)).toBe(200_000)
      let count = 0
      const task = await joinTask(store, jobLogSpec(['t']))
      for (const [partition, end] of endOffsets.entries()) {
        let next = 0
        while (next < end) {
          const page = await store.readPage({ topic: 't', partition, from: next, limit: 10_000 })
          count += page.records.length
          next = page.next
        }
        look()
      }
      expect(count).toBe(200_000)
      const reader = task.inputs.read(at({ t: 0 }), at({ t: endOffsets[0] ?? 0 }))
      let fromReader = 0
      while (!reader.done) {
        if (reader.next() !== undefined) fromReader += 1
        else {
          if (fromReader % 20 === 0) look()
          await new Promise<void>((resolve) => {
            reader.whenReadable(resolve)
          })
        }
      }
      expect(fromReader).toBe(endOffsets[0])
      // They are 140 MB.
      expect(peak.bytes - before).toBeLessThan(60_000_000)
    }, 60_000)
  })

  describe('as a whole', () => {
    test('is empty until there is a topic or a table', async () => {
      expect(store.isEmpty()).toBe(true)
      await store.createTopic('t')
      expect(store.isEmpty()).toBe(false)
      await store.clear()
      await store.loadTable(users)
      expect(store.isEmpty()).toBe(false)
    })

    test('is filled by a sample, once', async () => {
      await store.loadSample({ records: [output('in'), output('in')], tables: [users] })
      await reopen()
      expect((await store.describeTopic('in')).endOffsets).toEqual([1, 1, 0, 0])
      expect((await store.readTable('app', 'users', { after: null, limit: 10 })).rows).toHaveLength(2)
      await expect(store.loadSample({ records: [], tables: [] })).rejects.toMatchObject({ code: 'invalid-argument' })
    })

    test('is empty again when a sample cannot be loaded', async () => {
      const records = [output('in'), output('in', { value: Buffer.alloc(17 * 1024 * 1024) })]
      await expect(store.loadSample({ records, tables: [users] })).rejects.toMatchObject({ code: 'record-too-large' })
      expect(store.isEmpty()).toBe(true)
      await store.loadSample({ records: [output('in')], tables: [] })
      await reopen()
      expect(await texts('in', 0)).toEqual(['value'])
    })

    test('keeps nothing after clear, and begins at offset 0 again', async () => {
      await store.loadSample({ records: [output('in'), output('in')], tables: [users] })
      await store.clear()
      expect(store.isEmpty()).toBe(true)
      await store.append([output('in')])
      await reopen()
      expect((await read('in', 0)).map(({ offset }) => offset)).toEqual([0])
      expect(await store.listTables()).toEqual([])
    })

    test('of another format is refused, naming the directory', async () => {
      await store.close()
      const storage = await openLevelStorage(join(directory.path, 'log'))
      const value = storage.get(formatKey) ?? Buffer.alloc(0)
      await storage.write([{ type: 'put', key: formatKey, value: Buffer.from('99') }])
      await storage.close()
      await expect(open()).rejects.toMatchObject({
        code: 'unknown-format',
        message: expect.stringContaining(directory.path),
      })
      // Not even this way.
      await expect(openLevelStorage(join(directory.path, 'log'))).rejects.toMatchObject({ code: 'unknown-format' })
      const again = new Level<Buffer, Buffer>(join(directory.path, 'log'), {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
      })
      await again.put(formatKey, value)
      await again.close()
      store = await open()
    })

    test('that is another LevelDB database is refused, and left alone', async () => {
      const storage = await openLevelStorage(join(directory.path, 'other'))
      await storage.write([{ type: 'put', key: Buffer.from('theirs'), value: Buffer.from('1') }])
      await storage.close()
      await expect(EmbeddedStore.open(join(directory.path, 'other'), { clock: systemClock })).rejects.toMatchObject({
        code: 'unknown-format',
      })
    })

    test('is opened once at a time', async () => {
      await expect(open()).rejects.toMatchObject({ code: 'directory-in-use' })
    })

    test('in a place that cannot be a directory is refused', async () => {
      await expect(EmbeddedStore.open('/dev/null/log', { clock: systemClock })).rejects.toMatchObject({
        code: 'invalid-setting',
      })
    })
  })
})
