import { describe, expect, test } from 'vitest'
import { decodeCommitMetadata } from '../../src/core/commitMetadata.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import { at } from '../support/positions.ts'
import {
  commit,
  commitMetadata,
  entry,
  finish,
  output,
  readChangelog,
  takeSome,
  valueOf,
  type TaskLogTraits,
  type TestedLog,
} from './taskLogSteps.ts'

/** What the commit log of every task must do, and the transactions of its epochs. */
export function commitLogConformance(
  { world, fenced, valuesOf, orders }: TestedLog,
  { marker = 0, topicIds = false }: TaskLogTraits,
): void {
  describe('commit log', () => {
    test('is not its owner’s before it is fenced', async () => {
      const { commitLog } = await world().taskLog(0)
      expect(commitLog.lost).toBe(true)
      await commitLog.fence()
      expect(commitLog.lost).toBe(false)
    })

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
      await world().crash()
      await check(await fenced())
    })

    test('a later commit replaces the offsets and goes on in topics and changelog', async () => {
      const log = await fenced()
      await commit(log, { epoch: 0, position: 1, outputs: ['a'], changelog: [entry('k', '1')] })
      await commit(log, { epoch: 1, position: 5, outputs: ['b', 'c'], changelog: [entry('k', '2')] })
      expect((await log.commitLog.committed()).get('orders')?.position).toBe(5)
      expect((await world().readAll('results', 0)).map((record) => [record.offset, valueOf(record)])).toEqual([
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
      transaction.send({ ...output('payments', 'again'), partition: null, key: Buffer.from('foobar') }, 'exactly-once')
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
      await world().crash()
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
}
