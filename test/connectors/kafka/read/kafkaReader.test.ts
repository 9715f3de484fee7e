import { describe, expect, test } from 'vitest'
import type { Logger } from '../../../../src/core/ports/logger.ts'
import { StreamRecord, type RecordPosition } from '../../../../src/core/record.ts'
import { TidemarkError } from '../../../../src/core/errors.ts'
import { UnreadRecord } from '../../../../src/core/unreadRecord.ts'
import { TestLog } from '../kafkaJob.ts'
import type { FetchTarget } from '../../../../src/connectors/kafka/read/fetchTarget.ts'
import type { Fetcher } from '../../../../src/connectors/kafka/read/fetcher.ts'
import type { ReadAhead } from '../../../../src/core/pagedReader.ts'
import { KafkaReader } from '../../../../src/connectors/kafka/read/kafkaReader.ts'
import { ManualClock } from '../../../../src/testing/world/manualClock.ts'
import { silentLogger } from '../../../../src/core/ports/logger.ts'
import { ReadBudget } from '../../../../src/connectors/kafka/read/readBudget.ts'
import { at } from '../../../support/positions.ts'

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
  skips?: readonly RecordPosition[]
  log?: Logger
}): { reader: KafkaReader; fetcher: FakeFetcher } {
  const fetcher = new FakeFetcher()
  const {
    positions = { orders: 0 },
    ends = null,
    readAhead = {},
    budget = new ReadBudget(Infinity, new ManualClock(0)),
  } = options
  const reader = new KafkaReader({
    partition: 0,
    positions: at(positions),
    ends: ends === null ? null : at(ends),
    topicIds: new Map(),
    leaderEpochs: new Map(),
    // The reader calls only what the fake has.
    fetcher: fetcher as unknown as Fetcher,
    budget,
    skips: options.skips ?? [],
    log: options.log ?? silentLogger,
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
    const budget = new ReadBudget(1_000, new ManualClock(0))
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
    const budget = new ReadBudget(1_000, new ManualClock(0))
    const { reader, fetcher } = readerOf({ budget })
    fetcher.bring('orders', range(0, 9), 9)
    expect(budget.spent).toBe(true)
    reader.close()
    reader.close()
    expect(budget.spent).toBe(false)
    expect(fetcher.targets.size).toBe(0)
  })
})

describe('room', () => {
  test('is what task and process have left, for a page of moderate size', () => {
    const budget = new ReadBudget(1_000_000, new ManualClock(0))
    const { fetcher } = readerOf({ readAhead: { bytes: 500_000 }, budget })
    const target = fetcher.target('orders')
    expect(target.room).toBe(500_000)
    fetcher.bring('orders', range(0, 1_000), 1_000)
    expect(target.room).toBe(500_000 - 1_000 * 300)
    budget.take(600_000)
    expect(target.room).toBe(100_000)
    budget.take(100_000)
    expect(target.room).toBe(64 * 1024)
  })

  test('is never beyond what the task reads ahead', () => {
    const { fetcher } = readerOf({ readAhead: { bytes: 2_000 } })
    expect(fetcher.target('orders').room).toBe(2_000)
  })

  test('goes down by what waits packed, of the process and not of the task itself', () => {
    const budget = new ReadBudget(1_000, new ManualClock(0))
    const { reader, fetcher } = readerOf({ budget })
    const other = readerOf({ budget })
    fetcher.target('orders').held?.(1_500)
    other.fetcher.bring('orders', [0], 1)
    expect([fetcher.target('orders').wanted, other.fetcher.target('orders').wanted]).toEqual([true, false])
    fetcher.target('orders').held?.(200)
    expect(other.fetcher.target('orders').wanted).toBe(true)
    fetcher.target('orders').held?.(1_500)
    reader.close()
    expect(budget.left).toBe(700)
  })

  test('of a task that has handed all of it out is asked for also while the process has none', () => {
    const budget = new ReadBudget(1_000, new ManualClock(0))
    const { reader, fetcher } = readerOf({ budget })
    budget.take(5_000)
    fetcher.bring('orders', [0, 1], 2)
    reader.next()
    expect(fetcher.wakes).toBe(0)
    reader.next()
    expect(fetcher.wakes).toBe(1)
  })

  test('goes down by the headers of a record as well, which take more than their bytes', () => {
    const budget = new ReadBudget(Infinity, new ManualClock(0))
    const { fetcher } = readerOf({ budget, readAhead: { bytes: 100_000 } })
    const headers = Array.from({ length: 2_000 }, (): readonly [string, null] => ['', null])
    const value = Buffer.alloc(1)
    fetcher.target('orders').accept([new StreamRecord('orders', 0, 0, 1, null, headers, value, value)], 1, null)
    expect(fetcher.target('orders').wanted).toBe(false)
  })
})

describe('a position that is to be passed', () => {
  const skips = [
    { topic: 'orders', partition: 0, offset: 3 },
    { topic: 'payments', partition: 0, offset: 1 },
  ]

  test('is known to the fetcher, for its own topic', () => {
    const { fetcher } = readerOf({ skips })
    const target = fetcher.target('orders')
    expect([0, 1, 2, 3, 4].filter((offset) => target.skips?.(offset) === true)).toEqual([3])
  })

  test('that can be read is read, with one line', () => {
    const log = new TestLog()
    const { reader, fetcher } = readerOf({ skips, log })
    fetcher.bring('orders', [0, 1, 2], 3)
    expect(log.lines).toEqual([])
    fetcher.bring('orders', [3, 4], 5)
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { topic: 'orders', partition: 0, offset: 3 } }])
    for (let n = 0; n < 5; n += 1) reader.next()
    expect(reader.positions().get('orders')).toBe(5)
  })

  test('is passed with all that cannot be read behind it', () => {
    const log = new TestLog()
    const { reader, fetcher } = readerOf({ skips, log })
    fetcher.bring('orders', [0, 1, 2], 3)
    const error = new TidemarkError('unreadable-input', 'no')
    const fields = { topic: 'orders', partition: 0, offset: 3, next: 9, timestamp: -1, bytes: null, skipped: true }
    fetcher.target('orders').accept([new UnreadRecord(error, fields)], 9, null)
    for (let n = 0; n < 4; n += 1) reader.next()
    expect(reader.positions().get('orders')).toBe(9)
    expect(log.lines).toEqual([])
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

test.each([
  ['a record behind where reading would go on', [5, 6, 7], 5],
  ['a record at which reading would go on', [5, 6, 7], 7],
  ['a record that was there before', [3, 5], 9],
] as const)('%s is never handed out: its output would be committed without it, or twice', (_what, offsets, next) => {
  const { reader, fetcher } = readerOf({ positions: { orders: 5 } })
  expect(() => {
    fetcher.bring('orders', offsets, next)
  }).toThrow(expect.objectContaining({ code: 'broken-invariant' }))
  expect(reader.next()).toBeUndefined()
  expect(reader.positions().get('orders')).toBe(5)
})
