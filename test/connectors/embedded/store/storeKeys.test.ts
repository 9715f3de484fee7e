import { describe, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import {
  batchKey,
  batchLastOffset,
  groupRange,
  offsetKey,
  parseOffsetKey,
  rowKey,
  rowsRange,
  tableKey,
} from '../../../../src/connectors/embedded/store/storeKeys.ts'

const place = fc.tuple(fc.nat(5), fc.nat(5), fc.maxSafeNat())

describe('store keys', () => {
  property.prop([place, place])('batches are in the order of topic, partition and offset', (a, b) => {
    const order = a.map((part, index) => Math.sign(part - (b[index] ?? 0))).find((sign) => sign !== 0) ?? 0
    expect(Math.sign(Buffer.compare(batchKey(...a), batchKey(...b)))).toBe(order)
    expect(batchLastOffset(batchKey(...a))).toBe(a[2])
  })

  property.prop([fc.string(), fc.string(), fc.string(), fc.nat(1_000)])(
    'a committed offset stands in the range of its group alone, whatever the names',
    (group, other, topic, partition) => {
      const key = offsetKey(group, topic, partition)
      const isIn = ({ from, to }: ReturnType<typeof groupRange>): boolean =>
        Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0
      expect(isIn(groupRange(group))).toBe(true)
      expect(isIn(groupRange(other))).toBe(group === other)
      expect(parseOffsetKey(key)).toEqual({ group, topic, partition })
    },
  )

  property.prop([fc.string(), fc.string(), fc.string(), fc.string()])('two tables never share a key', (a, b, c, d) => {
    expect(tableKey(a, b).equals(tableKey(c, d))).toBe(a === c && b === d)
  })

  test('the rows of a table end before those of the next one, also where an id ends with the highest byte', () => {
    for (const id of [0, 0xff, 0xffff]) {
      const { from, to } = rowsRange(id)
      const last = rowKey(id, Buffer.alloc(20, 0xff))
      expect(Buffer.compare(last, from)).toBe(1)
      expect(Buffer.compare(last, to)).toBe(-1)
      expect(Buffer.compare(rowKey(id + 1, Buffer.alloc(0)), to)).toBeGreaterThanOrEqual(0)
    }
  })
})
