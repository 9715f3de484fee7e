import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { decompress } from '../../../../src/connectors/kafka/protocol/compression.ts'
import { unpackLz4 } from '../../../../src/connectors/kafka/protocol/unpackLz4.ts'
import { unpackSnappy } from '../../../../src/connectors/kafka/protocol/unpackSnappy.ts'
import {
  javaSnappy,
  lz4Block,
  lz4Frame,
  lz4Of,
  snappyBlock,
  snappyOf,
  unpacked,
  type Sequence,
} from './packedSequences.ts'

const most = 1_000_000

/** Sequences whose matches stay within what is written before them, overlaps included, and whose last one has none. */
const sequences: fc.Arbitrary<readonly Sequence[]> = fc
  .array(
    fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 90 }), fc.nat(), fc.integer({ min: 4, max: 700 }), fc.boolean()),
    { maxLength: 12 },
  )
  .map((drawn) => {
    let length = 0
    const made: Sequence[] = drawn.map(([bytes, back, count, near]) => {
      length += bytes.length
      const distance = 1 + (back % (near ? Math.min(8, length) : length))
      length += count
      return { literals: Buffer.from(bytes), match: { distance, count } }
    })
    return [...made, { literals: Buffer.from('the end'), match: null }]
  })

describe('LZ4', () => {
  property.prop([sequences, fc.boolean(), fc.boolean()])(
    'gives what its sequences say, with and without checksums and a size',
    (drawn, checksums, sized) => {
      const expected = unpacked(drawn)
      const options = sized ? { checksums, contentSize: expected.length } : { checksums }
      expect(unpackLz4(lz4Frame([{ bytes: lz4Block(drawn), stored: false }], options), most)).toEqual(expected)
    },
  )

  test('gives stored blocks, linked blocks, and frames one after the other', () => {
    const first = { bytes: Buffer.from('stored '), stored: true }
    const linked = lz4Block([
      { literals: Buffer.alloc(0), match: { distance: 7, count: 7 } },
      { literals: Buffer.from('.'), match: null },
    ])
    const frame = lz4Frame([first, { bytes: linked, stored: false }])
    expect(unpackLz4(Buffer.concat([frame, frame]), most).toString()).toBe('stored stored .stored stored .')
  })

  test('skips what is marked as skippable', () => {
    const skipped = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2])
    expect(unpackLz4(Buffer.concat([skipped, lz4Of(Buffer.from('x'))]), most).toString()).toBe('x')
  })

  test('is refused beyond the limit, whatever it claims', () => {
    const bomb = lz4Block([
      { literals: Buffer.from('a'), match: { distance: 1, count: 2_000_000 } },
      { literals: Buffer.from('b'), match: null },
    ])
    expect(() => unpackLz4(lz4Frame([{ bytes: bomb, stored: false }], { contentSize: 3 }), most)).toThrow(/more than/)
  })
})

describe('snappy', () => {
  property.prop([sequences])('gives what its elements say, of any kind', (drawn) => {
    expect(unpackSnappy(snappyBlock(drawn), most)).toEqual(unpacked(drawn))
  })

  property.prop([sequences, sequences])('is read in the framing of Java as well', (one, other) => {
    const framed = javaSnappy([snappyBlock(one), snappyBlock(other)])
    const expected = Buffer.concat([unpacked(one), unpacked(other)])
    expect(unpackSnappy(framed, most)).toEqual(expected)
    expect(unpackSnappy(Buffer.concat([framed, framed]), most)).toEqual(Buffer.concat([expected, expected]))
  })

  test.each<[string, Buffer, RegExp]>([
    ['a size it cannot have', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1]), /claims/],
    ['a size that does not end', Buffer.alloc(9, 0xff), /size does not end/],
    ['another size than it has', Buffer.from([5, 0, 1]), /size it claims/],
    ['a match before its beginning', Buffer.from([8, 0, 1, 1, 9]), /not there/],
  ])('is refused with %s', (_what, bytes, message) => {
    expect(() => unpackSnappy(bytes, most)).toThrow(message)
  })

  test('is refused beyond the limit', () => {
    const bomb = [{ literals: Buffer.from('a'), match: { distance: 1, count: 2_000_000 } }]
    expect(() => unpackSnappy(snappyBlock(bomb), most)).toThrow(/more than/)
  })
})

describe('whatever a message holds', () => {
  const limit = 10_000
  const damaged = fc
    .tuple(fc.constantFrom(lz4Of(Buffer.alloc(40, 7)), snappyOf(Buffer.alloc(40, 7))), fc.nat(), fc.nat({ max: 255 }))
    .map(([bytes, at, value]) => {
      const copy = Buffer.from(bytes)
      copy[at % copy.length] = value
      return copy
    })
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => lz4Frame([{ bytes: Buffer.from(bytes), stored: false }])),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => javaSnappy([Buffer.from(bytes)])),
    damaged,
  )

  property.prop([anything, fc.constantFrom(unpackLz4, unpackSnappy)], { numRuns: 500 })(
    'a decoder ends with bytes below its limit, or with an error',
    (bytes, unpack) => {
      let result: Buffer | Error
      try {
        result = unpack(bytes, limit)
      } catch (error) {
        result = error as Error
      }
      expect(result instanceof Error || result.length <= limit).toBe(true)
    },
  )

  test.each([1, 2, 3, 4])('codec %i names the batch it cannot unpack', async (code) => {
    await expect(decompress(code, Buffer.from('no such bytes'), 'The batch at orders 3@4')).rejects.toMatchObject({
      message: expect.stringMatching(/^The batch at orders 3@4 cannot be unpacked with (gzip|snappy|lz4|zstd): /),
    })
  })
})
