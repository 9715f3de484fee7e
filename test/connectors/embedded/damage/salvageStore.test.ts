import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  changelogDeleteRetentionMs,
  compactChangelog,
} from '../../../../src/connectors/embedded/store/changelogCompaction.ts'
import { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { openLevelStorage } from '../../../../src/connectors/embedded/store/levelStorage.ts'
import { inspectStore, type StoreInspection } from '../../../../src/connectors/embedded/damage/verifyStore.ts'
import { readLogPage } from '../../../../src/connectors/embedded/store/readLogPage.ts'
import { StoredBatchBuilder } from '../../../../src/connectors/embedded/store/recordBatch.ts'
import { salvageStore, type SalvageReport } from '../../../../src/connectors/embedded/damage/salvageStore.ts'
import type { Storage, StorageOperation } from '../../../../src/connectors/embedded/store/storage.ts'
import { readIdentity } from '../../../../src/connectors/embedded/store/storeFormat.ts'
import {
  batchKey,
  cleanedKey,
  formatKey,
  rowKey,
  rowsRange,
  upgradingKey,
  wipingKey,
} from '../../../../src/connectors/embedded/store/storeKeys.ts'
import { witnessFile } from '../../../../src/connectors/embedded/damage/witness.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { systemRandom } from '../../../../src/core/ports/random.ts'
import type { OutputRecord } from '../../../../src/core/record.ts'
import { temporaryDirectory } from '../temporaryDirectory.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let log: string
let copy: string
beforeEach(async () => {
  directory = await temporaryDirectory()
  log = join(directory.path, 'log')
  copy = join(directory.path, 'copy')
})
afterEach(() => directory.remove())

/** Each life begins with a table of what the one before has written. */
async function live<T>(act: (store: EmbeddedStore) => Promise<T>, at = log): Promise<T> {
  const store = await EmbeddedStore.open(at, { clock: systemClock, partitions: 1 })
  try {
    return await act(store)
  } finally {
    await store.close()
  }
}

/** A life of its own, below the store, in which nothing is checked and nothing has a checksum. */
async function liveBelow(act: (storage: Storage) => Promise<unknown>): Promise<void> {
  const storage = await openLevelStorage(log)
  try {
    await act(storage)
  } finally {
    await storage.close()
  }
}

async function inspected(): Promise<StoreInspection> {
  return (await inspectStore(log)) ?? fail()
}

async function salvaged(): Promise<SalvageReport> {
  return salvageStore(log, await inspected(), copy, systemRandom)
}

/** Changes a bit of the newest file that holds this text, some bytes behind it. */
function flip(text: string, behind = 0): void {
  for (const name of readdirSync(log)
    .filter((each) => /\.(log|ldb)$/.test(each))
    .toSorted()
    .toReversed()) {
    const file = join(log, name)
    const bytes = readFileSync(file)
    const found = bytes.indexOf(text)
    if (found < 0) continue
    bytes[found + behind] = (bytes[found + behind] ?? 0) ^ 1
    writeFileSync(file, bytes)
    return
  }
  fail()
}

/** Changes a bit in the first block of the newest table. */
function flipTable(): void {
  const name = readdirSync(log)
    .filter((each) => each.endsWith('.ldb'))
    .toSorted()
    .at(-1)
  const file = join(log, name ?? fail())
  const bytes = readFileSync(file)
  bytes[3] = (bytes[3] ?? 0) ^ 4
  writeFileSync(file, bytes)
}

function message(text: string): OutputRecord {
  return { topic: 'in', partition: 0, key: null, value: Buffer.from(text), headers: [], timestamp: 1 }
}

function table(rows: number): object {
  return {
    keyspace: 'shop',
    table: 'items',
    columns: { id: 'int', name: 'text' },
    primaryKey: [['id'], []],
    rows: Array.from({ length: rows }, (_, id) => ({ id, name: `item ${String(id)}` })),
  }
}

/** A topic and a table, as texts. */
function contentOf(store: EmbeddedStore): Promise<readonly string[]> {
  return Promise.all([
    store.readPage({ topic: 'in', partition: 0, from: 0, limit: 100 }),
    store.readTable('shop', 'items', { after: null, limit: 100 }),
  ]).then(([page, { rows }]) => [...page.records.map(({ raw }) => String(raw)), ...rows])
}

function fail(): never {
  throw new Error('that is nowhere')
}

const changelog = 'job-source-changelog'

/** Appends a batch; a value takes more than a block of a table, so that damage in it leaves the others whole. */
function putState(store: EmbeddedStore, entries: Readonly<Record<string, string | null>>): Promise<void> {
  return store.writer.write((write) => {
    const batch = new StoredBatchBuilder()
    for (const [key, text] of Object.entries(entries)) {
      const value = text === null ? null : Buffer.from(text.padEnd(6_000, '.'))
      batch.add({ timestamp: 1, key: Buffer.from(key), value, headers: [] })
    }
    write.append(store.topics.partition(changelog, 0), batch.take())
  })
}

/** What a restore would make of the changelog. */
async function stateOf(store: EmbeddedStore): Promise<readonly string[]> {
  const partition = store.topics.partition(changelog, 0)
  const state = new Map<string, string>()
  const page = { from: 0, until: partition.end, maxBatches: 100, maxBytes: 1e9 }
  for (const { key, raw } of (await readLogPage(store.storage, partition, page)).records) {
    if (raw === null) state.delete(String(key))
    else state.set(String(key), raw.toString().replace(/\.+$/, ''))
  }
  return [...state].map((entry) => entry.join('='))
}

describe('a changelog', () => {
  beforeEach(async () => {
    await live(async (store) => {
      await store.writer.write((write) => {
        store.topics.ensureInternal(write, changelog, 1)
      })
      await putState(store, { deleted: 'old', kept: 'first' })
      await putState(store, { deleted: null, other: 'second' })
      await putState(store, { last: 'third' })
    })
  })

  const compact = (): Promise<void> =>
    live(async (store) => {
      await compactChangelog(store.storage, store.topics.partition(changelog, 0), {
        keep: () => true,
        nowMs: 2 * changelogDeleteRetentionMs,
      })
    })

  test('of which a batch that compaction wrote is lost brings back nothing that was deleted', async () => {
    await compact()
    expect(await live(stateOf)).toEqual(['kept=first', 'other=second', 'last=third'])
    flip('first', 100)
    // What is whole of it covers every offset: the older batch stands where the newer one is lost.
    const [topic] = (await inspected()).survey.topics
    expect(topic?.partitions).toMatchObject([{ missing: [], end: 5 }])
    const { partitions } = await salvaged()
    expect(partitions).toMatchObject([{ topic: changelog, end: 5, emptied: true }])
    expect(await live(stateOf, copy)).toEqual([])
    // What is appended to it later is compacted from its beginning.
    const cleaned = await live(async (store) => {
      const { topicId, partition } = store.topics.partition(changelog, 0)
      return store.storage.get(cleanedKey(topicId, partition))
    }, copy)
    expect(cleaned).toBeUndefined()
  })

  test('is copied where what is damaged holds nothing of it', async () => {
    await live((store) => store.createTopic('in', { partitions: 1 }))
    await live((store) => store.append([message('lost')]))
    await live(() => Promise.resolve())
    flip('lost')
    const { partitions } = await salvaged()
    expect(partitions.map(({ topic, emptied }) => [topic, emptied])).toEqual([
      ['in', false],
      [changelog, false],
    ])
    expect(await live(stateOf, copy)).toEqual(['kept=first', 'other=second', 'last=third'])
  })

  test('is copied empty where a log is damaged, which may have held anything', async () => {
    await live((store) => putState(store, { more: 'fourth' }))
    await live((store) => putState(store, { more: 'fifth' }))
    flip('fifth')
    const { partitions } = await salvaged()
    expect(partitions).toMatchObject([{ topic: changelog, end: 6, emptied: true, mayBeShorter: true }])
    expect(await live(stateOf, copy)).toEqual([])
  })
})

test('a batch that cannot be read says how far its partition went, also where it is the last', async () => {
  const append = (store: EmbeddedStore, texts: readonly string[]): Promise<number> => store.append(texts.map(message))
  await live(async (store) => {
    await append(store, ['first'])
    await append(store, ['second', 'third'])
    // As a fault of memory would leave it: LevelDB's files are whole.
    const key = batchKey(store.topics.partition('in', 0).topicId, 0, 2)
    const value = Buffer.from(store.storage.get(key) ?? fail())
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
    await store.storage.write([{ type: 'put', key, value }])
  })
  const { partitions } = await salvaged()
  expect(partitions).toMatchObject([{ topic: 'in', end: 3, lost: [{ first: 1, last: 2 }] }])
  await live(async (store) => {
    await append(store, ['new'])
    const page = { topic: 'in', partition: 0, limit: 10 }
    await expect(store.readPage({ ...page, from: 1 })).rejects.toMatchObject({ code: 'data-removed' })
    expect((await store.readPage({ ...page, from: 3 })).records.map(({ raw }) => String(raw))).toEqual(['new'])
  }, copy)
})

describe('what a store is', () => {
  let content: readonly string[]
  beforeEach(async () => {
    content = await live(async (store) => {
      await store.append(['first', 'second'].map(message))
      await store.loadTable(table(3))
      return contentOf(store)
    })
    expect(content).toHaveLength(5)
  })

  test.each([
    [
      'wiping',
      wipingKey,
      'a sample is being loaded',
      /^that the store was being cleared is said by an entry that may be/,
    ],
    ['upgrading', upgradingKey, '{"after":""}', /^how far the store is upgraded may be out of date/],
  ])('is not told by a mark (%s) whose deletion may be lost', async (_, key, text, said) => {
    await live((store) => store.storage.write([{ type: 'put', key, value: Buffer.from(text) }]))
    await liveBelow((storage) => storage.write([{ type: 'del', key }]))
    expect(await live(contentOf)).toEqual(content)
    flipTable()
    const { survey } = await inspected()
    expect(survey.wiping).toBe(false)
    expect(survey.damages).toEqual([expect.stringMatching(said)])
    await salvaged()
    expect(await live(contentOf, copy)).toEqual(content)
  })

  test('is not told by a mark that nobody has written', async () => {
    const value = Buffer.from('a sample is being loaded')
    await liveBelow((storage) => storage.write([{ type: 'put', key: wipingKey, value }]))
    const { survey } = await inspected()
    expect(survey).toMatchObject({ wiping: false, damages: [expect.stringMatching(/being cleared is damaged$/)] })
    await salvaged()
    expect(await live(contentOf, copy)).toEqual(content)
  })

  test('is told by a mark that stands, whatever else is damaged', async () => {
    await live((store) => store.append([message('third')]))
    await live((store) => store.storage.write([{ type: 'put', key: wipingKey, value: Buffer.from('x') }]))
    await liveBelow(() => Promise.resolve())
    flip('third')
    expect((await inspected()).survey).toMatchObject({ wiping: true, topics: [] })
  })

  test('is read value by value where the mark of an upgrade is lost', async () => {
    await liveBelow(async (storage) => {
      const { seal } = readIdentity(storage.get(formatKey) ?? fail()) ?? fail()
      const rows = await storage.scan({ ...rowsRange(0), limit: 2, maxBytes: 1e6 })
      const unsealed = rows.map(([key, value]): StorageOperation => ({
        type: 'put',
        key,
        value: Buffer.from(seal.openText(key, value.toString()) ?? fail()),
      }))
      expect(unsealed).toHaveLength(2)
      await storage.write(unsealed)
    })
    await liveBelow((storage) => storage.write([{ type: 'put', key: upgradingKey, value: Buffer.from('mark') }]))
    await liveBelow(() => Promise.resolve())
    flipTable()
    expect((await salvaged()).tables).toMatchObject([{ table: 'items', copiedAs: 'items', rows: 3, damagedRows: 0 }])
    expect(await live(contentOf, copy)).toEqual(content)
  })

  test('is told by the log where the witness is that of another store', async () => {
    const other = join(directory.path, 'other')
    await live((store) => store.append([message('elsewhere')]), other)
    copyFileSync(witnessFile(other), witnessFile(log))
    const { survey } = await inspected()
    expect(survey.damages).toEqual([expect.stringMatching(/that of another store than the witness/)])
    await salvaged()
    expect(await live(contentOf, copy)).toEqual(content)
  })

  test('is read in time that grows with what is damaged, and not with its square', async () => {
    await liveBelow(async (storage) => {
      for (let first = 0; first < 70_000; first += 10_000) {
        const damaged = Array.from({ length: 10_000 }, (_, n): StorageOperation => {
          const primaryKey = Buffer.alloc(4)
          primaryKey.writeUInt32BE(1_000_000 + first + n)
          return { type: 'put', key: rowKey(0, primaryKey), value: Buffer.from('damaged') }
        })
        await storage.write(damaged)
      }
    })
    const { survey } = await inspected()
    expect(survey.tables).toMatchObject([{ table: 'items', rows: 3, damagedRows: 70_000 }])
    expect(survey.damages).toEqual([expect.stringMatching(/^table shop.items: 70000 rows are damaged \(sha256/)])
  })
})
