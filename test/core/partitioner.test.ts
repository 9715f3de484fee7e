import { expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import { keyPartition, murmur2, Partitioner } from '../../src/core/partitioner.ts'
import type { OutputRecord } from '../../src/core/record.ts'

// The vectors of Kafka's own UtilsTest.testMurmur2.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s is what the Java client computes', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('an empty key has a partition', () => {
  expect(murmur2(Buffer.alloc(0))).toBe(275646681)
  expect(keyPartition(Buffer.alloc(0), 4)).toBe(1)
})

property.prop([fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 64 })])(
  'a key always has the same partition, within the count',
  (bytes, partitions) => {
    const partition = keyPartition(Buffer.from(bytes), partitions)
    expect(partition).toBeGreaterThanOrEqual(0)
    expect(partition).toBeLessThan(partitions)
    expect(keyPartition(Buffer.from(bytes), partitions)).toBe(partition)
  },
)

test('a partition is the given one, else murmur2 of the key, else the next one', () => {
  const record: OutputRecord = { topic: 'orders', partition: null, key: null, value: null, headers: [], timestamp: 0 }
  const partitioner = new Partitioner(() => 2)
  const partitionOf = (fields: Partial<OutputRecord>): number => partitioner.partitionOf({ ...record, ...fields }, 4)
  expect(partitionOf({ partition: 3 })).toBe(3)
  // murmur2('foobar') without its sign is 1357151166.
  expect(partitionOf({ partition: null, key: Buffer.from('foobar') })).toBe(1357151166 % 4)
  expect([1, 2, 3, 4, 5].map(() => partitionOf({ partition: null }))).toEqual([2, 3, 0, 1, 2])
  expect(() => partitionOf({ partition: 4 })).toThrow(/4 partitions, from 0 on; there is no partition 4/)
  for (const partition of [-1, 0.5]) expect(() => partitionOf({ partition })).toThrow(/there is no partition/)
})
