import { describe, expect, test } from 'vitest'
import { StreamRecord } from '../../../src/core/record.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import type { FetchTarget } from '../../../src/connectors/kafka/fetchTarget.ts'
import type { Fetcher } from '../../../src/connectors/kafka/fetcher.ts'
import { KafkaReader, type ReadAhead } from '../../../src/connectors/kafka/kafkaReader.ts'
import { silentLogger } from '../../../src/runtime/logger.ts'
import { ReadBudget } from '../../../src/connectors/kafka/readBudget.ts'

/** Stands in for the fetcher: gives what the test says, when it says so. */
class FakeFetcher {
  readonly targets = new Set<FetchTarget>()
  wakes = 0

  add(target: FetchTarget): void {
    this.targets.add(target)
  }

  remove(target: FetchTarget): void {
    this.targets.delete(target)
  }

  wake(): void {
    this.wakes += 1
  }

  target(topic: string): FetchTarget {
    const found = [...this.targets].find((target) => target.topic === topic)
    if (found === undefined) throw new Error(`nobody reads ${topic}`)
    return found
  }

  /** A fetch that brings these offsets, and goes on at `next`. */
  bring(topic: string, offsets: readonly number[], next: number, leaderEpoch: number | null = null): void {
    this.target(topic).accept(
      offsets.map((offset) => record(topic, offset)),
      next,
      leaderEpoch,
    )
  }
}

function record(topic: string, offset: number): StreamRecord {
  const value = Buffer.alloc(100)
  return new StreamRecord(topic, 0, offset, 1_000, null, [], value, value)
}

function readerOf(options: {
  positions?: Record<string, number>
  ends?: Record<string, number> | null
  readAhead?: Partial<ReadAhead>
  budget?: ReadBudget
}): { reader: KafkaReader; fetcher: FakeFetcher } {
  const fetcher = new FakeFetcher()
  const { positions = { orders: 0 }, ends = null, readAhead = {}, budget = new ReadBudget(Infinity) } = options
  const reader = new KafkaReader({
    partition: 0,
    positions: new Map(Object.entries(positions)),
    ends: ends === null ? null : new Map(Object.entries(ends)),
    topicIds: new Map(),
    leaderEpochs: new Map(),
    // The reader calls only what the fake has.
    fetcher: fetcher as unknown as Fetcher,
    budget,
    skips: [],
    log: silentLogger,
    readAhead: { records: 10_000, bytes: 4 * 1024 * 1024, ...readAhead },
  })
  return { reader, fetcher }
}

const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, n) => from + n)

describe('water marks', () => {
  test('stop the fetching when the queue is full, and resume it when half of it is left', () => {
    const { reader, fetcher } = readerOf({ readAhead: { records: 10 } })
    expect(fetcher.target('orders').wanted).toBe(true)
    fetcher.bring('orders', range(0, 12), 12)
    expect(fetcher.target('orders').wanted).toBe(false)
    fetcher.bring('orders', range(12, 15), 15)
    for (let n = 0; n < 12; n += 1) reader.next()
    expect(fetcher.target('orders').wanted).toBe(true)
    expect(fetcher.wakes).toBe(1)
  })

  test('hold the bytes as well', () => {
    const { reader, fetcher } = readerOf({ readAhead: { bytes: 1_000 } })
    fetcher.bring('orders', range(0, 4), 4)
    expect(fetcher.target('orders').wanted).toBe(false)
    for (let n = 0; n < 4; n += 1) reader.next()
    expect(fetcher.target('orders').wanted).toBe(true)
  })

  test('of the process stop every task that has something to do, and wake them when there is room', () => {
    const budget = new ReadBudget(1_000)
    const full = readerOf({ budget })
    const idle = readerOf({ budget })
    full.fetcher.bring('orders', range(0, 4), 4)
    expect(full.fetcher.target('orders').wanted).toBe(false)
    // A task with an empty queue is never starved by the others.
    expect(idle.fetcher.target('orders').wanted).toBe(true)
    idle.fetcher.bring('orders', range(0, 1), 1)
    expect(idle.fetcher.target('orders').wanted).toBe(false)
    for (let n = 0; n < 4; n += 1) full.reader.next()
    expect(idle.fetcher.target('orders').wanted).toBe(true)
    expect(idle.fetcher.wakes).toBe(1)
  })

  test('are given back by a reader that is closed', () => {
    const budget = new ReadBudget(1_000)
    const { reader, fetcher } = readerOf({ budget })
    fetcher.bring('orders', range(0, 9), 9)
    expect(budget.spent).toBe(true)
    reader.close()
    reader.close()
    expect(budget.spent).toBe(false)
    expect(fetcher.targets.size).toBe(0)
  })
})

describe('positions', () => {
  test('pass gaps and markers behind the last record of what was fetched, once that was handed out', () => {
    const { reader, fetcher } = readerOf({})
    fetcher.bring('orders', [0, 3], 7)
    reader.next()
    expect(reader.positions().get('orders')).toBe(1)
    reader.next()
    expect(reader.positions().get('orders')).toBe(7)
  })

  test('pass what holds no record at all, in front of and behind records', () => {
    const { reader, fetcher } = readerOf({})
    fetcher.bring('orders', [], 4)
    expect(reader.positions().get('orders')).toBe(4)
    fetcher.bring('orders', [4], 5)
    fetcher.bring('orders', [], 9)
    expect(reader.positions().get('orders')).toBe(4)
    reader.next()
    expect(reader.positions().get('orders')).toBe(9)
  })
})

describe('ends', () => {
  test('are reached where only a marker stands before them', () => {
    const { reader, fetcher } = readerOf({ ends: { orders: 3 } })
    fetcher.bring('orders', [0, 1], 2)
    reader.next()
    reader.next()
    expect(reader.done).toBe(false)
    fetcher.bring('orders', [], 3)
    expect(reader.done).toBe(true)
  })

  test('leave out what is fetched beyond them', () => {
    const { reader, fetcher } = readerOf({ ends: { orders: 2 } })
    fetcher.bring('orders', range(0, 5), 5)
    expect([reader.next()?.offset, reader.next()?.offset, reader.next()]).toEqual([0, 1, undefined])
    expect(reader.done).toBe(true)
    expect(reader.positions().get('orders')).toBe(2)
    expect(fetcher.target('orders').wanted).toBe(false)
  })

  test('of all inputs make it done', () => {
    const { reader, fetcher } = readerOf({ positions: { orders: 0, payments: 5 }, ends: { orders: 1, payments: 5 } })
    expect(reader.done).toBe(false)
    fetcher.bring('orders', [0], 1)
    reader.next()
    expect(reader.done).toBe(true)
  })
})

test('whoever waits is told once of a record, an end or a failure', async () => {
  const { reader, fetcher } = readerOf({ ends: { orders: 1 } })
  const calls: string[] = []
  reader.whenReadable(() => calls.push('first'))
  fetcher.bring('orders', [], 0)
  expect(calls).toEqual([])
  fetcher.bring('orders', [0], 1)
  expect(calls).toEqual(['first'])
  reader.next()
  reader.whenReadable(() => calls.push('done'))
  await Promise.resolve()
  expect(calls).toEqual(['first', 'done'])
  const failing = readerOf({})
  failing.reader.whenReadable(() => calls.push('failed'))
  failing.fetcher.target('orders').fail(new TidemarkError('data-removed', 'gone'))
  expect(calls).toEqual(['first', 'done', 'failed'])
  expect(failing.reader.failure).toMatchObject({ code: 'data-removed' })
})

test('what is fetched twice is handed out once', () => {
  const { reader, fetcher } = readerOf({})
  fetcher.bring('orders', [0, 1], 2)
  fetcher.bring('orders', [0, 1], 2)
  expect([reader.next()?.offset, reader.next()?.offset, reader.next()]).toEqual([0, 1, undefined])
})
