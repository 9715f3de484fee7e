import { describe, expect, test } from 'vitest'
import type { OutputRecord } from '../../src/core/record.ts'
import { at } from '../support/positions.ts'
import {
  commitMetadata,
  output,
  readable,
  take,
  takeSome,
  valueOf,
  type TaskLogTraits,
  type TestedLog,
} from './taskLogSteps.ts'

/** What the inputs of every task must do. */
export function inputsConformance(
  { world, fenced, orders }: TestedLog,
  { marker = 0, compactsWhenAsked = true }: TaskLogTraits,
): void {
  describe('inputs', () => {
    test('knows whether a topic is there', async () => {
      const log = await fenced()
      expect(await log.inputs.exists('orders')).toBe(true)
      expect(await log.inputs.exists('nowhere')).toBe(false)
    })

    test.runIf(marker === 1)('counts what of an input waits behind a transaction that is not decided', async () => {
      await orders(2)
      const [log, other] = [await fenced(0), await fenced(1)]
      const waits = async (): Promise<number> => (await log.inputs.undecided('orders')) ?? -1
      await expect.poll(waits).toBe(0)
      const transaction = other.commitLog.begin()
      transaction.send({ ...output('orders', 'undecided'), partition: 0 }, 'exactly-once')
      const changelogEnd = await transaction.prepare([])
      await orders(3, 2)
      // The one that is undecided, and those behind it.
      await expect.poll(waits).toBe(4)
      await transaction.commit(at({ orders: 0, payments: 0 }), commitMetadata({ changelogEnd }))
      await expect.poll(waits).toBe(0)
      expect((await log.inputs.range('orders')).end).toBe(7)
    })

    test('positions are the same when they were stored, stand in their order, and have a distance', async () => {
      await orders(3)
      const { inputs } = await fenced()
      const { compare, read, show, write } = inputs.format
      const { start, end } = await inputs.range('orders')
      const middle = await inputs.positionAtTime('orders', 1_001)
      const all = [start, middle, end]
      const stored = all.map((position) => JSON.parse(JSON.stringify(write(position))) as number | string)
      expect(stored.map((each) => read(each))).toEqual(all)
      expect(new Set(all.map(show)).size).toBe(3)
      expect(all.map((a) => all.map((b) => Math.sign(compare(a, b))))).toEqual([
        [0, -1, -1],
        [1, 0, -1],
        [1, 1, 0],
      ])
      expect(await Promise.all(all.map((position) => inputs.lag('orders', position)))).toEqual([3, 2, 0])
      expect(await inputs.lag('orders', start, middle)).toBe(1)
      expect(await inputs.lag('orders', end, middle)).toBe(0)
    })

    test.each([-1, 0.5, '', 'none'])('what is no position is not read as one: %j', async (stored) => {
      expect((await fenced()).inputs.format.read(stored)).toBeNull()
    })

    test('gives the records of a partition in order, with everything that was written', async () => {
      const pairs: OutputRecord['headers'] = [
        ['a', Buffer.from('1')],
        ['a', null],
        ['b', Buffer.alloc(0)],
      ]
      await world().append([
        { ...output('orders', 'full', 5), key: Buffer.from('key'), headers: pairs },
        { ...output('orders', '', 3) },
        { ...output('orders', '', 4), value: null },
      ])
      const log = await fenced()
      const records = await take(log.inputs.read(at({ orders: 0 }), at({ orders: 3 })))
      expect(
        records.map(({ topic, partition, offset, timestamp, key, headers, raw, value }) => ({
          topic,
          partition,
          offset,
          timestamp,
          key,
          headers,
          raw,
          value,
        })),
      ).toEqual([
        {
          topic: 'orders',
          partition: 0,
          offset: 0,
          timestamp: 5,
          key: Buffer.from('key'),
          headers: pairs,
          raw: Buffer.from('full'),
          value: Buffer.from('full'),
        },
        {
          topic: 'orders',
          partition: 0,
          offset: 1,
          timestamp: 3,
          key: null,
          headers: [],
          raw: Buffer.alloc(0),
          value: Buffer.alloc(0),
        },
        { topic: 'orders', partition: 0, offset: 2, timestamp: 4, key: null, headers: [], raw: null, value: null },
      ])
    })

    test("gives only the task's own partition", async () => {
      await world().append([output('orders', 'zero'), { ...output('orders', 'one'), partition: 1 }])
      const records = await take((await fenced(1)).inputs.read(at({ orders: 0 }), at({ orders: 1 })))
      expect(records.map(valueOf)).toEqual(['one'])
    })

    test('starts at any position and keeps many records in order', async () => {
      await orders(5_000)
      const log = await fenced()
      const reader = log.inputs.read(at({ orders: 1_234 }), at({ orders: 5_000 }))
      const records = await take(reader)
      expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 3_766 }, (_, n) => 1_234 + n))
      expect(records.every((record) => valueOf(record) === `order-${String(record.offset)}`)).toBe(true)
    })

    test('stops before the ends and is then done, with nothing more to give', async () => {
      await orders(10)
      const reader = (await fenced()).inputs.read(at({ orders: 2 }), at({ orders: 6 }))
      expect(reader.done).toBe(false)
      expect((await take(reader)).map(({ offset }) => offset)).toEqual([2, 3, 4, 5])
      expect(reader).toMatchObject({ done: true, readable: false, failure: null })
      expect(reader.next()).toBeUndefined()
      expect([...reader.positions()]).toEqual([['orders', 6]])
    })

    test('is done at once where it starts at the ends', async () => {
      await orders(3)
      const reader = (await fenced()).inputs.read(at({ orders: 3 }), at({ orders: 3 }))
      await readable(reader)
      expect(reader.done).toBe(true)
      expect(reader.next()).toBeUndefined()
    })

    test('waits for an end that is not written yet', async () => {
      await orders(1)
      const reader = (await fenced()).inputs.read(at({ orders: 0 }), at({ orders: 3 }))
      expect((await takeSome(reader, 1)).map(valueOf)).toEqual(['order-0'])
      expect(reader.done).toBe(false)
      await orders(2, 1)
      expect((await take(reader)).map(valueOf)).toEqual(['order-1', 'order-2'])
    })

    test('is never done without ends', async () => {
      await orders(1)
      const reader = (await fenced()).inputs.read(at({ orders: 0 }), null)
      await takeSome(reader, 1)
      expect(reader).toMatchObject({ done: false, readable: false })
    })

    test('counts positions after what was handed out, not after what was fetched', async () => {
      await orders(20)
      const reader = (await fenced()).inputs.read(at({ orders: 4 }), null)
      expect([...reader.positions()]).toEqual([['orders', 4]])
      await takeSome(reader, 3)
      expect([...reader.positions()]).toEqual([['orders', 7]])
    })

    test('reads several topics, each in its own order', async () => {
      await orders(700)
      await world().append(Array.from({ length: 300 }, (_, n) => output('payments', `payment-${String(n)}`)))
      const reader = (await fenced()).inputs.read(at({ orders: 0, payments: 100 }), at({ orders: 700, payments: 300 }))
      const records = await take(reader)
      const offsets = (topic: string): readonly number[] =>
        records.filter((record) => record.topic === topic).map(({ offset }) => offset)
      expect(offsets('orders')).toEqual(Array.from({ length: 700 }, (_, n) => n))
      expect(offsets('payments')).toEqual(Array.from({ length: 200 }, (_, n) => 100 + n))
      expect(reader.positions()).toEqual(at({ orders: 700, payments: 300 }))
    })

    test.runIf(compactsWhenAsked)('passes over gaps, also those at its start and before its end', async () => {
      await orders(6)
      for (const offset of [0, 2, 3]) await world().removeRecord?.('orders', 0, offset)
      const log = await fenced()
      expect((await take(log.inputs.read(at({ orders: 0 }), at({ orders: 6 })))).map(({ offset }) => offset)).toEqual([
        1, 4, 5,
      ])
      const cut = log.inputs.read(at({ orders: 0 }), at({ orders: 4 }))
      expect((await take(cut)).map(({ offset }) => offset)).toEqual([1])
      expect(cut.positions()).toEqual(at({ orders: 4 }))
    })

    test('wakes a reader when a record is appended', async () => {
      const reader = (await fenced()).inputs.read(at({ orders: 0 }), null)
      expect(reader.readable).toBe(false)
      const woken = readable(reader)
      await orders(1)
      await woken
      expect(reader.readable).toBe(true)
      expect(valueOf(reader.next())).toBe('order-0')
    })

    test('wakes whoever waits once, and at once where there is something to read', async () => {
      await orders(2)
      const reader = (await fenced()).inputs.read(at({ orders: 0 }), null)
      await readable(reader)
      let calls = 0
      await new Promise<void>((resolve) => {
        reader.whenReadable(() => {
          calls += 1
          resolve()
        })
      })
      await orders(1, 2)
      await takeSome(reader, 3)
      expect(calls).toBe(1)
    })

    test('gives nothing after close, and a new read closes the reader before', async () => {
      await orders(3)
      const log = await fenced()
      const first = log.inputs.read(at({ orders: 0 }), at({ orders: 3 }))
      await readable(first)
      const second = log.inputs.read(at({ orders: 0 }), at({ orders: 3 }))
      expect(first.next()).toBeUndefined()
      expect(first.done).toBe(false)
      expect(await take(second)).toHaveLength(3)
      second.close()
      expect(second.next()).toBeUndefined()
    })

    test('fetches no further ahead than its queue is long', async () => {
      await orders(5_000)
      const reader = (await fenced()).inputs.read(at({ orders: 0 }), at({ orders: 5_000 }))
      await readable(reader)
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1))
      const { readAhead } = world()
      if (readAhead !== undefined) {
        expect(readAhead.fetched()).toBeGreaterThan(0)
        expect(readAhead.fetched()).toBeLessThanOrEqual(readAhead.limit)
      }
      expect(await take(reader)).toHaveLength(5_000)
    })

    test('knows the range of a topic and where a time begins', async () => {
      await orders(4, 0, 1_000)
      const log = await fenced()
      expect(await log.inputs.range('orders')).toEqual({ start: 0, end: 4 })
      expect(await log.inputs.range('payments')).toEqual({ start: 0, end: 0 })
      expect(await log.inputs.positionAtTime('orders', 0)).toBe(0)
      expect(await log.inputs.positionAtTime('orders', 1_002)).toBe(2)
      expect(await log.inputs.positionAtTime('orders', 1_004)).toBe(4)
      expect(await log.inputs.positionAtTime('payments', 0)).toBe(0)
    })
  })
}
