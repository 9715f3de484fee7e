import { expect } from 'vitest'
import { fc, test } from '@fast-check/vitest'
import { BoundedCounts, otherKey } from '../../../src/runtime/metrics/boundedCounts.ts'

test('counts beyond the bound go to one key, and the first keys go on', () => {
  const counts = new BoundedCounts(2)
  counts.add('a')
  counts.add('b', 2)
  counts.add('c', 3)
  counts.add('a', 4)
  expect(counts.entries()).toEqual([
    ['a', 5],
    ['b', 2],
    [otherKey, 3],
  ])
})

test.prop([fc.array(fc.tuple(fc.string({ maxLength: 300 }), fc.nat(1000)), { maxLength: 60 })])(
  'whatever the keys are, they are few and short, and nothing is lost from the sum',
  (added) => {
    const counts = new BoundedCounts(5)
    for (const [key, count] of added) counts.add(key, count)
    expect(counts.total).toBe(added.reduce((sum, [, count]) => sum + count, 0))
    expect(counts.entries().length).toBeLessThanOrEqual(6)
    for (const [key] of counts.entries()) expect(key.length).toBeLessThanOrEqual(100)
  },
)
