import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { StreamRecord, type Header } from '../../../src/core/record.ts'
import { decodeRowChunk, encodeRowChunk, loggedBytes, type RowChunk } from '../../../src/runtime/follower/rowChunk.ts'

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const bytesOrNull = fc.option(bytes)
const count = fc.maxSafeNat()
const text = fc.string({ unit: 'grapheme' })
const origin = fc
  .record({
    topic: text,
    partition: fc.nat(),
    offset: count,
    timestamp: fc.maxSafeInteger(),
    key: bytesOrNull,
    raw: bytesOrNull,
    headers: fc.array(fc.tuple(text, bytesOrNull), { maxLength: 3 }),
  })
  .map(
    ({ topic, partition, offset, timestamp, key, raw, headers }) =>
      new StreamRecord<unknown>(topic, partition, offset, timestamp, key, headers as readonly Header[], raw, raw),
  )
const chunk: fc.Arbitrary<RowChunk> = fc.record({
  epoch: count,
  nonce: text,
  lineage: text,
  baseMicros: count,
  previous: fc.option(count),
  index: count,
  last: fc.boolean(),
  rows: fc.array(fc.record({ row: bytes, origin: fc.option(origin) }), { maxLength: 5 }),
})

describe('a chunk of the write-ahead log', () => {
  test.prop([chunk])('is read as it was written', (written) => {
    expect(decodeRowChunk(encodeRowChunk(written))).toEqual(written)
  })

  test.prop([chunk])('takes no more than is reckoned with', (written) => {
    const rows = written.rows.reduce((sum, row) => sum + loggedBytes(row), 0)
    const header = encodeRowChunk({ ...written, rows: [] }).length
    expect(encodeRowChunk(written).length).toBeLessThanOrEqual(header + rows + 10)
  })

  test.prop([chunk, fc.nat(), fc.nat(255)])(
    'is refused, or another one, where a byte differs',
    (written, at, value) => {
      const encoded = encodeRowChunk(written)
      encoded[at % encoded.length] = value
      expectCorruptOrChunk(encoded)
    },
  )

  test.prop([fc.uint8Array({ maxLength: 200 })])('is refused where it is anything else', (any) => {
    expectCorruptOrChunk(Buffer.from(any))
  })

  test.prop([chunk, fc.nat()])('is refused where it is cut', (written, at) => {
    const encoded = encodeRowChunk(written)
    expect(() => decodeRowChunk(encoded.subarray(0, at % encoded.length))).toThrow(
      expect.objectContaining({ code: 'corrupt-store' }),
    )
  })
})

function expectCorruptOrChunk(encoded: Buffer): void {
  try {
    decodeRowChunk(encoded)
  } catch (error) {
    expect(error).toMatchObject({ code: 'corrupt-store' })
  }
}
