import { describe, expect } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import type { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { rewriteBatches } from '../../../../src/connectors/embedded/store/rewriteBatches.ts'
import { Disk, openOnDisk } from '../diskStorage.ts'

async function append(store: EmbeddedStore, from: number, count: number): Promise<void> {
  await store.append(
    Array.from({ length: count }, (_, n) => ({
      topic: 'log',
      partition: 0,
      key: null,
      value: Buffer.from(String(from + n)),
      headers: [],
      timestamp: 0,
    })),
  )
}

/** Reading goes over every offset, and meets no gap. */
async function read(store: EmbeddedStore): Promise<readonly string[]> {
  const { records, next, end } = await store.readPage({ topic: 'log', partition: 0, from: 0, limit: 10_000 })
  expect(next).toBe(end)
  return records.map(({ raw, offset }) => `${String(offset)} ${raw?.toString() ?? ''}`)
}

describe('trimming a log', () => {
  property.prop([
    fc.array(fc.oneof(fc.record({ append: fc.integer({ min: 1, max: 5 }) }), fc.record({ trim: fc.nat(40) })), {
      maxLength: 15,
    }),
  ])('removes what stands before an offset, and nothing else, and never moves the end', async (steps) => {
    const disk = new Disk()
    const store = await openOnDisk(disk, { partitions: 1 })
    await store.createTopic('log')
    const log = store.topics.partition('log', 0)
    let [start, end] = [0, 0]
    for (const step of steps) {
      if ('append' in step) {
        await append(store, end, step.append)
        end += step.append
      } else {
        await rewriteBatches(store.storage, log, step.trim, ({ offset }) => offset >= step.trim)
        start = Math.max(start, Math.min(step.trim, end))
      }
      const left = Array.from({ length: end - start }, (_, n) => `${String(start + n)} ${String(start + n)}`)
      expect(await read(store)).toEqual(left)
      expect(log.end).toBe(end)
    }
    const again = await openOnDisk(disk, { partitions: 1 })
    expect(again.topics.partition('log', 0).end).toBe(end)
    expect((await read(again)).length).toBe(end - start)
    const batches = [...disk.written.keys()].filter((name) => name.startsWith('r')).length
    // One may be left that only keeps the place of what is gone.
    expect(batches).toBeLessThanOrEqual(end - start + 1)
  })
})
