import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import {
  changelogDeleteRetentionMs,
  compactChangelog,
} from '../../../../src/connectors/embedded/store/changelogCompaction.ts'
import type { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { RecordBatch, versionMark } from '../../../../src/connectors/embedded/store/recordBatch.ts'
import { batchLastOffset } from '../../../../src/connectors/embedded/store/storeKeys.ts'
import type { OutputRecord } from '../../../../src/core/record.ts'
import { Disk, openOnDisk } from '../diskStorage.ts'

interface Entry {
  readonly key: string
  readonly value: string | null
  readonly timestamp: number
}

async function openWith(disk: Disk): Promise<EmbeddedStore> {
  return openOnDisk(disk, { partitions: 1 })
}

async function append(store: EmbeddedStore, entries: readonly Entry[]): Promise<void> {
  const records = entries.map(({ key, value, timestamp }): OutputRecord => ({
    topic: 'log',
    partition: 0,
    key: Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: [],
    timestamp,
  }))
  // A batch each, so that batches end everywhere.
  for (const record of records) await store.append([record])
}

async function read(store: EmbeddedStore): Promise<readonly (Entry & { offset: number })[]> {
  const { records } = await store.readPage({ topic: 'log', partition: 0, from: 0, limit: 10_000 })
  return records.map(({ key, raw, timestamp, offset }) => ({
    key: key?.toString() ?? '',
    value: raw?.toString() ?? null,
    timestamp,
    offset,
  }))
}

/** Batches follow each other from 0 to the end. */
function expectContiguous(disk: Disk, end: number): void {
  const keys = [...disk.written.values()].map(([key]) => key).filter((key) => key.toString('latin1', 0, 1) === 'r')
  let next = 0
  for (const key of keys.toSorted((a, b) => Buffer.compare(a, b))) {
    const value = disk.written.get(key.toString('latin1'))?.[1] ?? Buffer.alloc(0)
    const mark = crc32(value.subarray(5)) ^ value.readUInt32BE(1) ^ versionMark(value[0] ?? 0)
    const { range } = new RecordBatch({ topic: '', partition: 0, lastOffset: batchLastOffset(key), mark }, value)
    expect(range.first).toBe(next)
    next = range.last + 1
  }
  expect(next).toBe(end)
}

/** What must be left. */
function compacted(entries: readonly Entry[], nowMs: number): readonly (Entry & { offset: number })[] {
  return entries
    .map((entry, offset) => ({ ...entry, offset }))
    .filter(({ key, offset }) => entries.findLastIndex((other) => other.key === key) === offset)
    .filter(({ value, timestamp }) => value !== null || timestamp >= nowMs - changelogDeleteRetentionMs)
}

const nowMs = 10 * changelogDeleteRetentionMs
const entry = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
  value: fc.option(fc.constantFrom('1', '2')),
  timestamp: fc.constantFrom(0, nowMs),
})

describe('changelog compaction', () => {
  property.prop(
    [fc.array(entry, { maxLength: 40 }), fc.array(entry, { maxLength: 20 }), fc.integer({ min: 1, max: 8 })],
    { numRuns: 60 },
  )(
    'leaves the last entry of each key at its offset, however few keys fit into memory',
    async (before, after, maxKeys) => {
      const disk = new Disk()
      const store = await openWith(disk)
      await store.createTopic('log')
      const log = store.topics.partition('log', 0)
      await append(store, before)
      await compactChangelog(store.storage, log, { keep: () => true, nowMs, maxKeys })
      expect(await read(store)).toEqual(compacted(before, nowMs))
      await append(store, after)
      await compactChangelog(store.storage, log, { keep: () => true, nowMs, maxKeys })
      const all = [...before, ...after]
      expect(await read(store)).toEqual(compacted(all, nowMs))
      expectContiguous(disk, all.length)
      const again = await openWith(disk)
      expect(again.topics.partition('log', 0).end).toBe(all.length)
    },
  )

  test('keeps deletions for a day, and what they delete never comes back', async () => {
    const store = await openWith(new Disk())
    await store.createTopic('log')
    const log = store.topics.partition('log', 0)
    await append(store, [
      { key: 'a', value: '1', timestamp: nowMs },
      { key: 'a', value: null, timestamp: nowMs },
      { key: 'end', value: '1', timestamp: nowMs },
    ])
    const keysLater = async (laterMs: number): Promise<readonly string[]> => {
      await compactChangelog(store.storage, log, { keep: () => true, nowMs: nowMs + laterMs })
      return (await read(store)).map(({ key, value }) => `${key} ${String(value)}`)
    }
    expect(await keysLater(0)).toEqual(['a null', 'end 1'])
    expect(await keysLater(changelogDeleteRetentionMs)).toEqual(['a null', 'end 1'])
    expect(await keysLater(changelogDeleteRetentionMs + 1)).toEqual(['end 1'])
  })

  test('leaves one batch of all that it has emptied, however often it is repeated', async () => {
    const disk = new Disk()
    const store = await openWith(disk)
    await store.createTopic('log')
    const log = store.topics.partition('log', 0)
    const batches = (): number => [...disk.written.keys()].filter((name) => name.startsWith('r')).length
    for (let round = 0; round < 3; round += 1) {
      await append(
        store,
        Array.from({ length: 200 }, () => ({ key: 'same', value: '1', timestamp: nowMs })),
      )
      await compactChangelog(store.storage, log, { keep: () => true, nowMs })
      expect(batches()).toBe(1)
      expectContiguous(disk, (round + 1) * 200)
    }
    await compactChangelog(store.storage, log, { keep: () => false, nowMs })
    expect(batches()).toBe(1)
    expectContiguous(disk, 600)
  })

  test('of an empty changelog does nothing', async () => {
    const store = await openWith(new Disk())
    await store.createTopic('log')
    await compactChangelog(store.storage, store.topics.partition('log', 0), { keep: () => true, nowMs })
    expect(await read(store)).toEqual([])
  })
})
