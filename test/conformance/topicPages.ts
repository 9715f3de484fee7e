import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { OutputRecord, StreamRecord } from '../../src/core/record.ts'
import { output } from './taskLogSteps.ts'

/** Topics as the commands see them, in which topic `pages` exists, with one partition. */
export interface TopicPagesWorld {
  append(records: readonly OutputRecord[]): Promise<void>
  readPage(request: {
    readonly from: number
    readonly limit: number
    readonly maxBytes?: number
  }): Promise<{ readonly records: readonly StreamRecord[]; readonly next: number; readonly end: number }>
  close(): Promise<void>
}

/** How pages of a topic are read; each world runs it. */
export function topicPagesConformance(name: string, makeWorld: () => Promise<TopicPagesWorld>): void {
  describe(`pages of a topic: ${name}`, () => {
    let world: TopicPagesWorld
    const count = 40
    const kilobyte = 1_000

    beforeEach(async () => {
      world = await makeWorld()
      for (let n = 0; n < count; n += 1) await world.append([output('pages', 'x'.repeat(kilobyte))])
    })
    afterEach(async () => {
      await world.close()
    })

    test('end with the record limit, and tell where to read on', async () => {
      const { records, next, end } = await world.readPage({ from: 5, limit: 3 })
      expect(records.map(({ offset }) => offset)).toEqual([5, 6, 7])
      expect({ next, end }).toEqual({ next: 8, end: count })
    })

    test('end with the batch that reaches the byte limit, and together hold every record once', async () => {
      const offsets: number[] = []
      let pages = 0
      for (let from = 0; from < count; pages += 1) {
        const { records, next } = await world.readPage({ from, limit: 1_000, maxBytes: 4 * kilobyte })
        expect(records.length).toBeGreaterThan(0)
        expect(records.length).toBeLessThanOrEqual(5)
        offsets.push(...records.map(({ offset }) => offset))
        from = next
      }
      expect(offsets).toEqual(Array.from({ length: count }, (_, n) => n))
      expect(pages).toBeGreaterThanOrEqual(count / 5)
    })

    test('hold a record that is larger than the byte limit', async () => {
      const { records, next } = await world.readPage({ from: 3, limit: 10, maxBytes: 1 })
      expect(records.map(({ offset }) => offset)).toEqual([3])
      expect(next).toBe(4)
    })
  })
}
