import { describe, expect, test } from 'vitest'
import { MemoryLog } from '../../../src/testing/world/memoryLog.ts'
import { ABORT, EOF, PAUSE } from '../../../src/testing/kit/sourceMark.ts'
import { record, testTopic, writeRun } from '../../../src/testing/kit/testSource.ts'

describe('testTopic', () => {
  test('EOF cuts the items into runs', () => {
    expect(testTopic('a', ['1', EOF, '2', ABORT, EOF]).runs).toEqual([['1'], ['2', ABORT], []])
  })

  test('writes texts, bytes, objects and tombstones', () => {
    const log = new MemoryLog()
    const items = ['text', record(Buffer.from([0xff])), record({ a: [1] }), record(null, { key: 'k', timestamp: 7 })]
    writeRun(log, testTopic('a', items), 0, 5)
    expect(
      log
        .topic('a')
        .records()
        .map(({ raw, key, timestamp }) => [raw?.toString('latin1'), key?.toString(), timestamp]),
    ).toEqual([
      ['text', undefined, 5],
      ['\xff', undefined, 5],
      ['{"a":[1]}', undefined, 5],
      [undefined, 'k', 7],
    ])
  })

  test('a mark belongs to the partition of the record before it', () => {
    const log = new MemoryLog()
    const at = (partition: number): ReturnType<typeof record> => record('x', { partition })
    writeRun(log, testTopic('a', [ABORT, at(1), at(1), PAUSE(5), at(0)], { partitions: 2 }), 0, 0)
    const marks = log
      .topic('a')
      .partitions.map((partition) => partition.marks.map(({ offset, mark }) => [offset, mark.kind]))
    expect(marks).toEqual([[[0, 'abort']], [[2, 'pause']]])
  })

  test('keyless records go round, keyed ones where Kafka puts them', () => {
    const log = new MemoryLog()
    const items = ['a', 'b', 'c', record('d', { key: '21' }), record('e', { key: '21' })]
    writeRun(log, testTopic('a', items, { partitions: 2 }), 0, 0)
    const partitions = log.topic('a').partitions.map(({ records }) => records.map(({ raw }) => raw?.toString() ?? ''))
    expect(partitions.flat().filter((value) => 'abc'.includes(value))).toEqual(['a', 'c', 'b'])
    expect(partitions.some((values) => values.includes('d') && values.includes('e'))).toBe(true)
  })

  test.each([0, -1, NaN, Infinity])('PAUSE(%d) is refused', (ms) => {
    expect(() => testTopic('a', [PAUSE(ms)])).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })

  test('a partition that the topic does not have is refused', () => {
    expect(() => {
      writeRun(new MemoryLog(), testTopic('a', [record('x', { partition: 1 })]), 0, 0)
    }).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})
