import { beforeEach, describe, expect, test } from 'vitest'
import { TidemarkError } from '../../src/core/errors.ts'
import { endOf, PagedReader, type PagedInput, type QueuedPage, type ReadAhead } from '../../src/core/pagedReader.ts'
import { StreamRecord } from '../../src/core/record.ts'
import { at } from '../support/positions.ts'

/** A reader of two inputs that is brought its pages by the test. */
class TestReader extends PagedReader<QueuedPage> {
  protected readonly inputs: readonly [PagedInput, PagedInput]
  readonly events: string[] = []

  constructor(readAhead: ReadAhead, until = Infinity) {
    super(readAhead)
    this.inputs = [
      { topic: 'a', position: 0, until },
      { topic: 'b', position: 0, until },
    ]
  }

  /** These offsets of an input, 10 bytes each. */
  bring(which: 0 | 1, offsets: readonly number[], next: number): void {
    const input = this.inputs[which]
    const records = offsets.map((offset) => new StreamRecord(input.topic, 0, offset, 0, null, [], null, null))
    this.enqueue({ input, records, next, bytes: 10 * offsets.length })
  }

  get wanted(): boolean {
    return !this.full
  }

  get queued(): readonly [number, number] {
    return [this.queuedRecords, this.queuedBytes]
  }

  protected override began({ input, next }: QueuedPage): void {
    this.events.push(`${input.topic} to ${String(next)} begins`)
  }

  protected finished({ input, next }: QueuedPage, isLow: boolean): void {
    this.events.push(`${input.topic} to ${String(next)} ends${isLow ? ', low' : ''}`)
  }
}

describe('a reader of pages', () => {
  let reader: TestReader

  beforeEach(() => {
    reader = new TestReader({ records: 10, bytes: 1_000 })
  })

  const read = (): readonly string[] => {
    const seen: string[] = []
    for (let record = reader.next(); record !== undefined; record = reader.next()) {
      seen.push(`${record.topic}${String(record.offset)}`)
    }
    return seen
  }

  test('hands the records out in the order in which they were fetched, and passes gaps with the record before', () => {
    reader.bring(0, [0, 2], 5)
    reader.bring(1, [0], 1)
    reader.bring(0, [], 9)
    reader.bring(0, [9], 10)
    expect(reader.next()?.offset).toBe(0)
    expect(reader.positions().get('a')).toBe(1)
    reader.next()
    expect(reader.positions().get('a')).toBe(5)
    expect(read()).toEqual(['b0', 'a9'])
    expect([...reader.positions().values()]).toEqual([10, 1])
    expect(reader.events).toEqual([
      'a to 5 begins',
      'b to 1 begins',
      'a to 5 ends',
      'a to 9 begins',
      'a to 10 begins',
      'b to 1 ends',
      'a to 10 ends',
    ])
    expect(reader.queued).toEqual([0, 0])
  })

  test.each([
    ['records', { records: 4, bytes: 1_000 }],
    ['bytes', { records: 1_000, bytes: 40 }],
  ])('wants nothing from the high-water mark of %s on until half of it is left', (_, readAhead) => {
    reader = new TestReader(readAhead)
    reader.bring(0, [0], 1)
    reader.bring(0, [1], 2)
    reader.bring(0, [2], 3)
    expect(reader.wanted).toBe(true)
    reader.bring(0, [3], 4)
    expect(reader.wanted).toBe(false)
    reader.next()
    expect(reader.wanted).toBe(false)
    reader.next()
    expect(reader.wanted).toBe(true)
    expect(reader.events.filter((event) => event.endsWith('low'))).toEqual(['a to 2 ends, low'])
  })

  test('hands nothing out while it is held, and tells whoever waits when it is released', () => {
    let calls = 0
    reader.hold()
    reader.whenReadable(() => {
      calls += 1
    })
    reader.bring(0, [0], 1)
    expect([reader.readable, reader.next(), calls]).toEqual([false, undefined, 0])
    reader.release()
    reader.release()
    expect([reader.readable, calls]).toEqual([true, 1])
    expect(read()).toEqual(['a0'])
  })

  test('is done when every input stands at its end, by a marker too, and neither while it is held nor closed', () => {
    reader = new TestReader({ records: 4, bytes: 1_000 }, 2)
    reader.bring(0, [0, 1], 2)
    reader.bring(1, [], 2)
    expect(reader.done).toBe(false)
    expect(read()).toHaveLength(2)
    expect(reader.done).toBe(true)
    reader.hold()
    expect(reader.done).toBe(false)
    reader.release()
    reader.close()
    expect(reader.done).toBe(false)
  })

  test('tells of a failure once, keeps the first one, and forgets everything when it is closed', () => {
    const told: string[] = []
    reader.whenReadable(() => told.push('failed'))
    reader.fail(new TidemarkError('data-removed', 'first'))
    reader.fail(new TidemarkError('data-removed', 'second'))
    expect(told).toEqual(['failed'])
    expect(reader.failure?.message).toBe('first')
    reader.bring(0, [0], 1)
    reader.close()
    expect([reader.next(), reader.readable]).toEqual([undefined, false])
  })
})

test('an input without an end among others that have one is a mistake of the caller', () => {
  expect([endOf('a', null), endOf('a', at({ a: 3 }))]).toEqual([Infinity, 3])
  expect(() => endOf('b', at({ a: 3 }))).toThrow('without an end of b')
})
