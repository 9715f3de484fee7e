import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { MemoryLog } from '../../../src/testing/world/memoryLog.ts'
import { MemoryReader } from '../../../src/testing/world/memoryReader.ts'
import { ABORT, PAUSE } from '../../../src/testing/kit/sourceMark.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'
import { record, testTopic, writeRun, type TestItem } from '../../../src/testing/kit/testSource.ts'

const clock = new ManualClock()

function reading(
  topics: Record<string, readonly TestItem[]>,
  { bounded = true, process = new TestProcess({ clock }), log = new MemoryLog() } = {},
): { reader: MemoryReader; process: TestProcess; log: MemoryLog; next: () => string | undefined } {
  for (const [name, items] of Object.entries(topics)) writeRun(log, testTopic(name, items), 0, clock.now())
  const inputs = Object.keys(topics).map((name) => {
    const partition = log.topic(name).partition(0)
    return { partition, position: partition.range.start, end: bounded ? partition.range.end : null }
  })
  const reader = new MemoryReader(process, inputs)
  return { reader, process, log, next: () => reader.next()?.raw?.toString() }
}

describe('MemoryReader', () => {
  test('gives records in order and counts positions behind them', () => {
    const { reader, next } = reading({ a: ['1', '2'] })
    expect(next()).toBe('1')
    expect(reader.positions()).toEqual(new Map([['a', 1]]))
    expect([next(), next()]).toEqual(['2', undefined])
    expect(reader.done).toBe(true)
  })

  test('several inputs are read by timestamp, equal ones in their order', () => {
    const at = (value: string, timestamp: number): TestItem => record(value, { timestamp })
    const { next, reader } = reading({ a: [at('a1', 1), at('a4', 4)], b: [at('b1', 1), at('b2', 2), at('b5', 5)] })
    expect([next(), next(), next(), next(), next(), next()]).toEqual(['a1', 'b1', 'b2', 'a4', 'b5', undefined])
    expect(reader.done).toBe(true)
  })

  test('a bounded reader stops at its ends, another goes on with what is appended', async () => {
    const bounded = reading({ a: ['1'] })
    const open = reading({ a: ['1'] }, { bounded: false })
    for (const { next } of [bounded, open]) expect([next(), next()]).toEqual(['1', undefined])
    expect([bounded.reader.done, open.reader.done]).toEqual([true, false])
    let woken = 0
    open.reader.whenReadable(() => (woken += 1))
    await clock.settle()
    expect(woken).toBe(0)
    for (const { log } of [bounded, open]) writeRun(log, testTopic('a', ['2', '3']), 0, 0)
    expect(woken).toBe(1)
    expect([bounded.next(), open.next(), open.next()]).toEqual([undefined, '2', '3'])
    expect(woken).toBe(1)
  })

  test('changing a record that was read does not change the topic', () => {
    const { reader, log } = reading({ a: [record('1', { key: 'k', headers: [['h', 'v']] })] })
    const read = reader.next()
    read?.raw?.fill(0)
    read?.key?.fill(0)
    read?.headers[0]?.[1]?.fill(0)
    const [kept] = log.topic('a').records()
    expect(kept).toMatchObject({ raw: Buffer.from('1'), key: Buffer.from('k'), headers: [['h', Buffer.from('v')]] })
  })

  test('gaps are skipped, at the end of a bounded range too', () => {
    const log = new MemoryLog()
    const partition = log.ensureTopic('a').partition(0)
    writeRun(log, testTopic('a', ['1']), 0, 0)
    partition.skip(2)
    writeRun(log, testTopic('a', ['2']), 0, 0)
    partition.skip(1)
    const { reader, next } = reading({ a: [] }, { log })
    expect([next(), next(), next()]).toEqual(['1', '2', undefined])
    expect([reader.done, reader.positions().get('a')]).toEqual([true, 5])
  })

  test('records that retention has removed before they were read fail the reading', () => {
    const { log, reader, next } = reading({ a: ['1', '2'] })
    log.topic('a').partition(0).removeBefore(1)
    expect(next()).toBeUndefined()
    expect(reader.failure).toMatchObject({ code: 'data-removed' })
  })

  test('ABORT kills the process once, when all before it has been read', () => {
    const log = new MemoryLog()
    const first = reading({ a: ['1', ABORT, '2'] }, { log })
    expect(first.next()).toBe('1')
    expect(first.process.alive).toBe(true)
    expect(first.next()).toBeUndefined()
    expect([first.process.alive, first.reader.done, first.reader.readable]).toEqual([false, false, false])
    const second = reading({ a: [] }, { log })
    expect([second.next(), second.next(), second.next()]).toEqual(['1', '2', undefined])
    expect([second.process.alive, second.reader.done]).toEqual([true, true])
  })

  test('an ABORT behind the last record works before the end is reached', () => {
    const { reader, next, process } = reading({ a: ['1', ABORT] })
    expect(next()).toBe('1')
    expect(reader.done).toBe(false)
    expect(next()).toBeUndefined()
    expect(process.alive).toBe(false)
  })

  test('PAUSE lets nothing through for its time, once', async () => {
    const log = new MemoryLog()
    const { reader, next } = reading({ a: ['1', PAUSE(100), '2', PAUSE(50)] }, { log })
    expect([next(), next(), reader.readable, reader.done]).toEqual(['1', undefined, false, false])
    let woken = 0
    reader.whenReadable(() => (woken += 1))
    await clock.advance(99)
    expect(woken).toBe(0)
    await clock.advance(1)
    expect(woken).toBe(1)
    expect([next(), next(), reader.done]).toEqual(['2', undefined, false])
    await clock.advance(50)
    expect([next(), reader.done]).toEqual([undefined, true])
    const again = reading({ a: [] }, { log })
    expect([again.next(), again.next(), again.reader.done]).toEqual(['1', '2', true])
  })

  test('a closed reader gives nothing, calls nobody and leaves no timer', () => {
    const { reader, next, log } = reading({ a: ['1', PAUSE(100), '2'] }, { bounded: false })
    next()
    next()
    let woken = 0
    reader.whenReadable(() => (woken += 1))
    reader.close()
    writeRun(log, testTopic('a', ['3']), 0, 0)
    expect([next(), woken, clock.pending]).toEqual([undefined, 0, 0])
  })
})
