import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeCommitMetadata } from '../../src/core/commitMetadata.ts'
import type { OutputRecord, StreamRecord } from '../../src/core/record.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import { at } from '../support/positions.ts'
import {
  commit,
  commitMetadata,
  entry,
  finish,
  output,
  readChangelog,
  readable,
  take,
  takeSome,
  valueOf,
} from './taskLogSteps.ts'

/** A log in which the topics `orders` and `payments` exist, with two partitions each, as the inputs of one source group. */
export interface TaskLogWorld {
  /** The log of one task of the group; each call is another owner of that task. */
  taskLog(partition: number): Promise<TaskLog>
  /** Appends committed records, as another producer would. */
  append(records: readonly OutputRecord[]): Promise<void>
  /** What a reader of committed records sees in a partition of a topic; nothing when the topic does not exist. */
  readAll(topic: string, partition: number): Promise<readonly StreamRecord[]>
  /** Removes a record from the middle of a partition, as compaction does: a gap is left. Absent where only time does that. */
  removeRecord?(topic: string, partition: number, offset: number): Promise<void>
  /** Ends the process without closing or committing anything, and opens what is left. */
  crash(): Promise<void>
  close(): Promise<void>
  /** Records that readers have fetched so far, and how many they may fetch ahead; absent where nothing is fetched ahead. */
  readonly readAhead?: { fetched(): number; readonly limit: number }
}

/** In what a log may differ. */
export interface TaskLogTraits {
  /** Offsets that a commit takes in each partition it wrote, besides its records. Default 0. */
  readonly marker?: 0 | 1
  /** False: it compacts itself, when it likes, so that gaps cannot be made and `compactChangelog` does nothing. */
  readonly compactsWhenAsked?: boolean
  /** True: a topic has an id, which another one of its name has not. */
  readonly topicIds?: boolean
}

/** What every task log must do; each implementation runs it. */
export function taskLogConformance(
  name: string,
  makeWorld: () => Promise<TaskLogWorld>,
  { marker = 0, compactsWhenAsked = true, topicIds = false }: TaskLogTraits = {},
): void {
  describe(`task log: ${name}`, () => {
    let world: TaskLogWorld

    beforeEach(async () => {
      world = await makeWorld()
    })
    afterEach(async () => {
      await world.close()
    })

    const fenced = async (partition = 0): Promise<TaskLog> => {
      const log = await world.taskLog(partition)
      await log.commitLog.fence()
      return log
    }
    const orders = (count: number, from = 0, timestamp = 1_000): Promise<void> =>
      world.append(
        Array.from({ length: count }, (_, n) => output('orders', `order-${String(from + n)}`, timestamp + n)),
      )
    const valuesOf = async (topic: string, partition = 0): Promise<readonly string[]> =>
      (await world.readAll(topic, partition)).map(valueOf)

    test('knows which partitions a topic has', async () => {
      const log = await fenced()
      // A topic may have to be looked up first.
      const refusal = (partition: number) => log.outputs.refusal({ ...output('orders', 'x'), partition })
      await expect.poll(() => refusal(2)).toMatchObject({ code: 'invalid-output', details: { field: 'partition' } })
      expect([0, 1, 100].map((partition) => refusal(partition)?.code)).toEqual([undefined, undefined, 'invalid-output'])
    })

    test('knows how large a record may be', async () => {
      const log = await fenced()
      await expect.poll(() => log.outputs.refusal({ ...output('orders', 'x'), partition: 2 })).not.toBeNull()
      const large = (bytes: number) => log.outputs.refusal({ ...output('orders', ''), value: Buffer.alloc(bytes) })
      expect(large(1_000_000)).toBeNull()
      expect(large(17 * 1024 * 1024)).toMatchObject({ code: 'record-too-large', details: { field: 'value' } })
    })

    test.runIf(topicIds)('knows whether a topic is there', async () => {
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

    describe('reading', () => {
      test('gives the records of a partition in order, with everything that was written', async () => {
        const pairs: OutputRecord['headers'] = [
          ['a', Buffer.from('1')],
          ['a', null],
          ['b', Buffer.alloc(0)],
        ]
        await world.append([
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
        await world.append([output('orders', 'zero'), { ...output('orders', 'one'), partition: 1 }])
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
        await world.append(Array.from({ length: 300 }, (_, n) => output('payments', `payment-${String(n)}`)))
        const reader = (await fenced()).inputs.read(
          at({ orders: 0, payments: 100 }),
          at({ orders: 700, payments: 300 }),
        )
        const records = await take(reader)
        const offsets = (topic: string): readonly number[] =>
          records.filter((record) => record.topic === topic).map(({ offset }) => offset)
        expect(offsets('orders')).toEqual(Array.from({ length: 700 }, (_, n) => n))
        expect(offsets('payments')).toEqual(Array.from({ length: 200 }, (_, n) => 100 + n))
        expect(reader.positions()).toEqual(at({ orders: 700, payments: 300 }))
      })

      test.runIf(compactsWhenAsked)('passes over gaps, also those at its start and before its end', async () => {
        await orders(6)
        for (const offset of [0, 2, 3]) await world.removeRecord?.('orders', 0, offset)
        const log = await fenced()
        expect((await take(log.inputs.read(at({ orders: 0 }), at({ orders: 6 })))).map(({ offset }) => offset)).toEqual(
          [1, 4, 5],
        )
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
        const { readAhead } = world
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

    describe('committing', () => {
      test.runIf(topicIds)(
        'each offset is committed with the id of its topic, for the next owner to compare',
        async () => {
          const log = await fenced()
          await log.commitLog.committed()
          await commit(log, { epoch: 0, position: 2 })
          const next = await fenced()
          const committed = await next.commitLog.committed()
          for (const topic of ['orders', 'payments']) {
            expect(next.inputs.topicId(topic)).toEqual(expect.any(String))
            expect(committed.get(topic)?.topicId).toBe(next.inputs.topicId(topic))
          }
          expect(next.inputs.topicId('orders')).not.toBe(next.inputs.topicId('payments'))
        },
      )

      test('a new task has no committed offsets and an empty changelog', async () => {
        const log = await fenced()
        expect([...(await log.commitLog.committed())]).toEqual([])
        expect(await log.changelog.range()).toEqual({ start: 0, end: 0 })
      })

      test('stores outputs, changelog, and offsets with their metadata, and all of it survives a crash', async () => {
        await orders(3)
        const log = await fenced()
        const transaction = log.commitLog.begin()
        transaction.send(output('results', 'one'), 'exactly-once')
        transaction.send(output('dead', 'two'), 'exactly-once')
        expect(transaction.bytes).toBe(6)
        const changelogEnd = await transaction.prepare([entry('a', '1'), entry('b', null)])
        expect(changelogEnd).toBe(2)
        const metadata = commitMetadata({ epoch: 7, changelogEnd })
        await transaction.commit(at({ orders: 2, payments: 0 }), metadata)

        const check = async (owner: TaskLog): Promise<void> => {
          const committed = await owner.commitLog.committed()
          expect(committed.get('orders')?.position).toBe(2)
          expect(committed.get('payments')?.position).toBe(0)
          expect(decodeCommitMetadata(committed.get('orders')?.metadata ?? '')).toEqual(metadata)
          expect(await readChangelog(owner)).toEqual([entry('a', '1'), entry('b', null)])
          expect(await valuesOf('results')).toEqual(['one'])
          expect(await valuesOf('dead')).toEqual(['two'])
        }
        // Committed offsets are read after a fence: a log may acknowledge a commit before everybody sees it.
        await log.commitLog.fence()
        await check(log)
        await world.crash()
        await check(await fenced())
      })

      test('a later commit replaces the offsets and goes on in topics and changelog', async () => {
        const log = await fenced()
        await commit(log, { epoch: 0, position: 1, outputs: ['a'], changelog: [entry('k', '1')] })
        await commit(log, { epoch: 1, position: 5, outputs: ['b', 'c'], changelog: [entry('k', '2')] })
        expect((await log.commitLog.committed()).get('orders')?.position).toBe(5)
        expect((await world.readAll('results', 0)).map((record) => [record.offset, valueOf(record)])).toEqual([
          [0, 'a'],
          [1 + marker, 'b'],
          [2 + marker, 'c'],
        ])
        expect(await log.changelog.range()).toEqual({ start: 0, end: 2 + 2 * marker })
      })

      test('a record without partition goes where its key belongs, and the given partition is kept', async () => {
        const log = await fenced()
        const transaction = log.commitLog.begin()
        const keyed = { ...output('payments', 'keyed'), partition: null, key: Buffer.from('foobar') }
        transaction.send(keyed, 'exactly-once')
        transaction.send(
          { ...output('payments', 'again'), partition: null, key: Buffer.from('foobar') },
          'exactly-once',
        )
        transaction.send({ ...output('payments', 'given'), partition: 1 }, 'exactly-once')
        await finish(transaction, 1)
        // murmur2('foobar') without its sign is 1357151166.
        expect(await valuesOf('payments', 0)).toEqual(['keyed', 'again'])
        expect(await valuesOf('payments', 1)).toEqual(['given'])
      })

      test('an abort leaves nothing behind, before and after prepare', async () => {
        const log = await fenced()
        const sent = log.commitLog.begin()
        sent.send(output('results', 'sent'), 'exactly-once')
        await sent.abort()
        await sent.abort()
        const prepared = log.commitLog.begin()
        prepared.send(output('results', 'prepared'), 'exactly-once')
        await prepared.prepare([entry('k', 'v')])
        await prepared.abort()
        await commit(log, { epoch: 0, position: 1, outputs: ['kept'], changelog: [entry('k', 'w')] })
        expect(await valuesOf('results')).toEqual(['kept'])
        expect(await readChangelog(log)).toEqual([entry('k', 'w')])
      })

      test('a crash before the commit leaves nothing behind', async () => {
        const log = await fenced()
        await commit(log, { epoch: 0, position: 1, outputs: ['before'] })
        const transaction = log.commitLog.begin()
        transaction.send(output('results', 'lost'), 'exactly-once')
        await transaction.prepare([entry('k', 'v')])
        await world.crash()
        const next = await fenced()
        expect(await valuesOf('results')).toEqual(['before'])
        expect(await readChangelog(next)).toEqual([])
        expect((await next.commitLog.committed()).get('orders')?.position).toBe(1)
      })

      test('nothing of a transaction is seen before its commit, and all of it after', async () => {
        const log = await fenced()
        const other = await fenced(1)
        const reader = (await fenced()).inputs.read(at({ orders: 0 }), null)
        const owner = await fenced()
        const transaction = owner.commitLog.begin()
        transaction.send(output('orders', 'x'), 'exactly-once')
        transaction.send(output('results', 'y'), 'exactly-once')
        const changelogEnd = await transaction.prepare([entry('k', 'v')])
        expect(await valuesOf('orders')).toEqual([])
        expect(await valuesOf('results')).toEqual([])
        expect((await log.inputs.range('orders')).end).toBe(0)
        expect(reader.readable).toBe(false)
        await transaction.commit(at({ orders: 0, payments: 0 }), commitMetadata({ changelogEnd }))
        expect((await takeSome(reader, 1)).map(valueOf)).toEqual(['x'])
        expect(await valuesOf('results')).toEqual(['y'])
        expect((await other.commitLog.committed()).size).toBe(0)
      })

      test('tasks commit beside each other', async () => {
        const [zero, one] = [await fenced(0), await fenced(1)]
        await Promise.all([
          commit(zero, { epoch: 0, position: 3, outputs: ['zero'], changelog: [entry('a', '0')] }),
          commit(one, { epoch: 0, position: 4, outputs: ['one'], changelog: [entry('a', '1')] }),
        ])
        expect([...(await valuesOf('results'))].sort()).toEqual(['one', 'zero'])
        expect((await zero.commitLog.committed()).get('orders')?.position).toBe(3)
        expect((await one.commitLog.committed()).get('orders')?.position).toBe(4)
        expect(await readChangelog(zero)).toEqual([entry('a', '0')])
        expect(await readChangelog(one)).toEqual([entry('a', '1')])
      })

      test('a fence locks the transactions of older owners out', async () => {
        const old = await fenced()
        const transaction = old.commitLog.begin()
        transaction.send(output('results', 'zombie'), 'exactly-once')
        const fresh = await fenced()
        await expect(finish(transaction, 1)).rejects.toMatchObject({ code: 'commit-failed' })
        await transaction.abort()
        await expect(commit(old, { epoch: 0, position: 1, outputs: ['zombie'] })).rejects.toMatchObject({
          code: 'commit-failed',
        })
        await commit(fresh, { epoch: 0, position: 1, outputs: ['owner'] })
        expect(await valuesOf('results')).toEqual(['owner'])
      })

      test('a fence of the same owner locks its own open transaction out, and the next one commits', async () => {
        const log = await fenced()
        const transaction = log.commitLog.begin()
        transaction.send(output('results', 'given up'), 'exactly-once')
        await log.commitLog.fence()
        await expect(finish(transaction, 1)).rejects.toMatchObject({ code: 'commit-failed' })
        await commit(log, { epoch: 0, position: 1, outputs: ['next'] })
        expect(await valuesOf('results')).toEqual(['next'])
      })

      test('a fence of one task leaves the others alone', async () => {
        const [zero, one] = [await fenced(0), await fenced(1)]
        const transaction = zero.commitLog.begin()
        transaction.send(output('results', 'fine'), 'exactly-once')
        await one.commitLog.fence()
        await finish(transaction, 1)
        expect(await valuesOf('results')).toEqual(['fine'])
      })
    })

    describe('changelog', () => {
      test('is read from any offset to any other, in order', async () => {
        const log = await fenced()
        const entries = Array.from({ length: 2_500 }, (_, n) => entry(`key-${String(n)}`, String(n)))
        await commit(log, { epoch: 0, position: 0, changelog: entries.slice(0, 1_500) })
        await commit(log, { epoch: 1, position: 0, changelog: entries.slice(1_500) })
        const end = 2_500 + 2 * marker
        expect(await readChangelog(log, 0, end)).toEqual(entries)
        expect(await readChangelog(log, 1_499, 1_502 + marker)).toEqual(entries.slice(1_499, 1_502))
        expect(await readChangelog(log, end, end)).toEqual([])
      })

      test.runIf(compactsWhenAsked)(
        'compaction keeps the last entry of each key and the end, and reads go on over the gaps',
        async () => {
          const log = await fenced()
          const values = ['1', '2', '3']
          for (const [epoch, value] of values.entries()) {
            const changelog = [entry('a', value), entry(`only-${value}`, value), entry('b', value)]
            await commit(log, { epoch, position: 0, changelog })
          }
          await log.changelog.compact(() => true)
          const kept = [
            entry('only-1', '1'),
            entry('only-2', '2'),
            entry('a', '3'),
            entry('only-3', '3'),
            entry('b', '3'),
          ]
          expect(await readChangelog(log, 0)).toEqual(kept)
          expect(await readChangelog(log, 6)).toEqual(kept.slice(2))
          expect((await log.changelog.range()).end).toBe(9)
          await commit(log, { epoch: 3, position: 0, changelog: [entry('c', '4')] })
          expect((await log.changelog.range()).end).toBe(10)
          await world.crash()
          expect(await readChangelog(await fenced(), 0)).toEqual([...kept, entry('c', '4')])
        },
      )

      test.runIf(compactsWhenAsked)(
        'compaction drops what is not kept, and the end stays also when that is everything',
        async () => {
          const log = await fenced()
          await commit(log, {
            epoch: 0,
            position: 0,
            changelog: [entry('old', '1'), entry('new', '2'), entry('old', '3')],
          })
          await log.changelog.compact((key) => key.toString() === 'new')
          expect(await readChangelog(log, 0)).toEqual([entry('new', '2')])
          await log.changelog.compact(() => false)
          expect(await readChangelog(log, 0)).toEqual([])
          expect((await log.changelog.range()).end).toBe(3)
          await world.crash()
          const next = await fenced()
          expect((await next.changelog.range()).end).toBe(3)
          await commit(next, { epoch: 1, position: 0, changelog: [entry('k', '4')] })
          expect(await readChangelog(next, 3)).toEqual([entry('k', '4')])
        },
      )
    })
  })
}
