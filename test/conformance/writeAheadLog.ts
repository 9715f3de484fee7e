import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import type { LoggedChunk } from '../../src/core/ports/writeAheadLog.ts'
import { at } from '../support/positions.ts'
import { commitMetadata } from './taskLogSteps.ts'

/** A job with followers, one input `orders` with two partitions, and so two tasks. */
export interface WriteAheadWorld {
  /** The log of one task; each call is another owner of that task. */
  taskLog(partition: number): Promise<TaskLog>
  /** Ends the process without closing or committing anything, and opens what is left. */
  crash(): Promise<void>
  close(): Promise<void>
}

/** What every write-ahead log must do; each implementation runs it. */
export function writeAheadLogConformance(name: string, makeWorld: () => Promise<WriteAheadWorld>): void {
  describe(`write-ahead log: ${name}`, () => {
    let world: WriteAheadWorld

    beforeEach(async () => {
      world = await makeWorld()
    })
    afterEach(() => world.close())

    const fenced = async (partition = 0): Promise<TaskLog> => {
      const log = await world.taskLog(partition)
      await log.commitLog.fence()
      return log
    }
    const chunk = (text: string, sink = 'rows'): LoggedChunk => ({ sink, bytes: Buffer.from(text) })
    const commit = async (log: TaskLog, ...chunks: readonly LoggedChunk[]): Promise<void> => {
      const transaction = log.commitLog.begin()
      for (const each of chunks) log.writeAheadLog.append(transaction, each)
      const changelogEnd = await transaction.prepare([])
      await transaction.commit(at({ orders: 0 }), commitMetadata({ inputs: 1, changelogEnd }))
    }
    const readAll = async ({ writeAheadLog }: TaskLog, from?: number): Promise<readonly string[]> => {
      const { start, end } = await writeAheadLog.range()
      const found: string[] = []
      if ((from ?? start) >= end) return found
      for await (const batch of writeAheadLog.read(from ?? start, end)) {
        for (const { sink, bytes } of batch) found.push(`${sink} ${bytes.toString()}`)
      }
      return found
    }
    const offsets = async ({ writeAheadLog }: TaskLog): Promise<readonly number[]> => {
      const { start, end } = await writeAheadLog.range()
      const found: number[] = []
      for await (const batch of writeAheadLog.read(start, end)) found.push(...batch.map(({ offset }) => offset))
      return found
    }

    test('is empty at first', async () => {
      const log = await fenced()
      const { start, end } = await log.writeAheadLog.range()
      expect(end).toBe(start)
      expect(await readAll(log)).toEqual([])
    })

    test('gives the chunks of committed epochs in order, those of all sinks', async () => {
      const log = await fenced()
      await commit(log, chunk('a'), chunk('b', 'others'))
      await commit(log)
      await commit(log, chunk('c'))
      await expect.poll(() => readAll(log)).toEqual(['rows a', 'others b', 'rows c'])
    })

    test('counts the bytes of chunks for the epoch', async () => {
      const log = await fenced()
      const transaction = log.commitLog.begin()
      log.writeAheadLog.append(transaction, { sink: 'rows', bytes: Buffer.alloc(100_000) })
      expect(transaction.bytes).toBeGreaterThanOrEqual(100_000)
      await transaction.abort()
    })

    test('takes chunks as large as it says', async () => {
      const log = await fenced()
      const bytes = Buffer.alloc(Math.min(log.writeAheadLog.maxChunkBytes, 4 * 1024 * 1024), 'x')
      await commit(log, { sink: 'rows', bytes }, chunk('small'))
      await expect.poll(async () => (await readAll(log)).map((text) => text.length)).toEqual([bytes.length + 5, 10])
    })

    test('shows nothing of an epoch that was given up, or not committed', async () => {
      const log = await fenced()
      await commit(log, chunk('a'))
      const aborted = log.commitLog.begin()
      log.writeAheadLog.append(aborted, chunk('aborted'))
      await aborted.prepare([])
      await aborted.abort()
      await commit(log, chunk('b'))
      const open = log.commitLog.begin()
      log.writeAheadLog.append(open, chunk('open'))
      await open.prepare([])
      await expect.poll(() => readAll(log)).toEqual(['rows a', 'rows b'])
      await world.crash()
      const next = await fenced()
      await commit(next, chunk('c'))
      await expect.poll(() => readAll(next)).toEqual(['rows a', 'rows b', 'rows c'])
    })

    test('is one for each task', async () => {
      const [some, other] = [await fenced(0), await fenced(1)]
      await commit(some, chunk('a'))
      await commit(other, chunk('b'))
      await expect.poll(() => readAll(some)).toEqual(['rows a'])
      await expect.poll(() => readAll(other)).toEqual(['rows b'])
    })

    test('is read from an offset on', async () => {
      const log = await fenced()
      await commit(log, chunk('a'), chunk('b'))
      await commit(log, chunk('c'))
      await expect.poll(async () => (await offsets(log)).length).toBe(3)
      const [, second = 0, third = 0] = await offsets(log)
      expect(await readAll(log, second)).toEqual(['rows b', 'rows c'])
      expect(await readAll(log, third + 1)).toEqual([])
    })

    test('is read by several at once, each from where it is', async () => {
      const log = await fenced()
      const texts = Array.from({ length: 12 }, (_, n) => `${String(n)} ${'x'.repeat(300_000)}`)
      for (const text of texts) await commit(log, chunk(text))
      await expect.poll(async () => (await readAll(log)).length).toBe(texts.length)
      const [, second = 0] = await offsets(log)
      const reads = await Promise.all([readAll(log), readAll(log, second), readAll(log)])
      const all = texts.map((text) => `rows ${text}`)
      expect(reads.map((found) => found.length)).toEqual([12, 11, 12])
      expect(reads).toEqual([all, all.slice(1), all])
    })

    test('knows where the next chunk will stand, also while it shows nothing of the last ones', async () => {
      const log = await fenced()
      await commit(log, chunk('a'))
      await expect.poll(() => readAll(log)).toEqual(['rows a'])
      expect(await log.writeAheadLog.writtenEnd()).toBe((await log.writeAheadLog.range()).end)
    })

    test('removes what stands before an offset, and goes on behind what was there', async () => {
      const log = await fenced()
      await commit(log, chunk('a'), chunk('b'))
      await commit(log, chunk('c'))
      await expect.poll(async () => (await offsets(log)).length).toBe(3)
      const [, , third = 0] = await offsets(log)
      await log.writeAheadLog.trim(third)
      await log.writeAheadLog.trim(third)
      expect(await readAll(log)).toEqual(['rows c'])
      const { end } = await log.writeAheadLog.range()
      await log.writeAheadLog.trim(end)
      expect(await readAll(log)).toEqual([])
      await world.crash()
      const next = await fenced()
      expect((await next.writeAheadLog.range()).end).toBe(end)
      await commit(next, chunk('d'))
      await expect.poll(() => readAll(next, end)).toEqual(['rows d'])
    })

    test('refuses what any sink would write there', async () => {
      const log = await fenced()
      let topic = ''
      log.writeAheadLog.append({ send: (record) => (topic = record.topic) }, chunk('a'))
      const record = { topic, partition: null, key: null, value: Buffer.from('a'), headers: [], timestamp: 0 }
      expect(log.outputs.refusal(record)).toMatchObject({ code: 'invalid-output' })
    })
  })
}
