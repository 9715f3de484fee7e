import { createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib'
import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { unpack } from '../../../../src/connectors/kafka/protocol/compression.ts'
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

/** All pieces of a decoder, and the longest of them. */
function whole(pieces: Generator<Buffer, Buffer>): { readonly bytes: Buffer; readonly longest: number } {
  const found: Buffer[] = []
  for (let { done, value } = pieces.next(); ; { done, value } = pieces.next()) {
    // A piece stands until the next one is asked for.
    found.push(Buffer.from(value))
    if (done === true) break
  }
  return { bytes: Buffer.concat(found), longest: Math.max(...found.map(({ length }) => length)) }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80)
  return Buffer.from([...bytes, left])
}

/** Small, so that what is drawn comes in several pieces. */
const pieceBytes = 300
const lz4 = (bytes: Buffer): Buffer => whole(unpackLz4(bytes, pieceBytes)).bytes
const snappy = (bytes: Buffer): Buffer => whole(unpackSnappy(bytes, pieceBytes)).bytes

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
      expect(lz4(lz4Frame([{ bytes: lz4Block(drawn), stored: false }], options))).toEqual(expected)
    },
  )

  test('gives stored blocks, linked blocks, and frames one after the other', () => {
    const first = { bytes: Buffer.from('stored '), stored: true }
    const linked = lz4Block([
      { literals: Buffer.alloc(0), match: { distance: 7, count: 7 } },
      { literals: Buffer.from('.'), match: null },
    ])
    const frame = lz4Frame([first, { bytes: linked, stored: false }])
    expect(lz4(Buffer.concat([frame, frame])).toString()).toBe('stored stored .stored stored .')
  })

  test('skips what is marked as skippable', () => {
    const skipped = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2])
    expect(lz4(Buffer.concat([skipped, lz4Of(Buffer.from('x'))])).toString()).toBe('x')
  })

  test('is refused where a block is larger than blocks are, whatever it claims', () => {
    const bomb = lz4Block([
      { literals: Buffer.from('a'), match: { distance: 1, count: 5_000_000 } },
      { literals: Buffer.from('b'), match: null },
    ])
    expect(() => lz4(lz4Frame([{ bytes: bomb, stored: false }], { contentSize: 3 }))).toThrow(/more than/)
  })
})

describe('snappy', () => {
  property.prop([sequences])('gives what its elements say, of any kind', (drawn) => {
    expect(snappy(snappyBlock(drawn))).toEqual(unpacked(drawn))
  })

  property.prop([sequences, sequences])('is read in the framing of Java as well', (one, other) => {
    const framed = javaSnappy([snappyBlock(one), snappyBlock(other)])
    const expected = Buffer.concat([unpacked(one), unpacked(other)])
    expect(snappy(framed)).toEqual(expected)
    expect(snappy(Buffer.concat([framed, framed]))).toEqual(Buffer.concat([expected, expected]))
  })

  test.each<[string, Buffer, RegExp]>([
    ['a size it cannot have', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1]), /claims/],
    ['a size that does not end', Buffer.alloc(9, 0xff), /size does not end/],
    ['another size than it has', Buffer.from([5, 0, 1]), /size it claims/],
    ['a match before its beginning', Buffer.from([8, 0, 1, 1, 9]), /not there/],
  ])('is refused with %s', (_what, bytes, message) => {
    expect(() => snappy(bytes)).toThrow(message)
  })

  test('is refused where a match reaches further back than is kept', () => {
    const far = 3 * 512 * 1024
    const block = snappyBlock([{ literals: Buffer.from('a'), match: { distance: 1, count: far } }])
    // A copy of one byte from 1.5 MiB back, which the size counts.
    const longer = Buffer.concat([
      varint(far + 2),
      block.subarray(varint(far + 1).length),
      Buffer.from([3, 0, 0, 24, 0]),
    ])
    expect(() => snappy(longer)).toThrow(/too far back/)
  })
})

describe('whatever a message holds', () => {
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
    'a decoder ends with pieces that are no longer than a block, or with an error',
    (bytes, unpackPieces) => {
      let longest = 0
      try {
        longest = whole(unpackPieces(bytes, pieceBytes)).longest
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
      expect(longest).toBeLessThanOrEqual(pieceBytes + 4 * 1024 * 1024)
    },
  )

  test.each([1, 2, 3, 4])('codec %i says what is wrong with it', async (code) => {
    const read = async (): Promise<void> => {
      const found = await unpack(code, Buffer.from('no such bytes'), setImmediate)
      if (!Buffer.isBuffer(found)) while ((await found.next()) !== null);
    }
    await expect(read()).rejects.toThrow(/./)
  })
})

/** As producers write them: gzip and zstd with and without a size that tells what comes, blocks with blocks. */
describe('a batch of zeros', () => {
  const bytes = 4 * 1024 * 1024
  const sequence = [
    { literals: Buffer.from([0]), match: { distance: 1, count: 64 * 1024 - 2 } },
    { literals: Buffer.from([0]), match: null },
  ]
  const blocks = Array.from({ length: bytes / (64 * 1024) })
  const snappy64 = snappyBlock(sequence)
  const packed: readonly (readonly [string, number, () => Promise<Buffer>])[] = [
    ['gzip', 1, () => Promise.resolve(gzipSync(Buffer.alloc(bytes)))],
    ['zstd of a known size', 4, () => Promise.resolve(zstdCompressSync(Buffer.alloc(bytes)))],
    ['zstd of a size that is not told', 4, () => zstdStreamed(bytes)],
    ['lz4', 3, () => Promise.resolve(lz4Frame(blocks.map(() => ({ bytes: lz4Block(sequence), stored: false }))))],
    ['snappy in the framing of Java', 2, () => Promise.resolve(javaSnappy(blocks.map(() => snappy64)))],
    [
      'snappy in one block',
      2,
      () => Promise.resolve(snappyBlock([{ literals: Buffer.from([0]), match: { distance: 1, count: bytes - 1 } }])),
    ],
  ]

  test.each(packed)('comes in pieces from %s', async (_name, code, pack) => {
    const found = await unpack(code, await pack(), setImmediate)
    if (Buffer.isBuffer(found)) throw new Error('it was unpacked at once')
    let length = 0
    for (let piece = await found.next(); piece !== null; piece = await found.next()) {
      length += piece.length
      expect(piece.length).toBeLessThanOrEqual(512 * 1024)
    }
    expect(length).toBe(bytes)
  })

  test.each([
    ['gzip', 1, gzipSync(Buffer.alloc(100_000))],
    ['zstd', 4, zstdCompressSync(Buffer.alloc(100_000))],
  ] as const)('%s that claims to be small is unpacked no further than it may be', async (_name, code, small) => {
    expect(await unpack(code, small, setImmediate)).toHaveLength(100_000)
    const large = code === 1 ? gzipSync(Buffer.alloc(bytes)) : zstdCompressSync(Buffer.alloc(bytes))
    if (code === 1) large.writeUInt32LE(7, large.length - 4)
    else large.writeUInt32LE(7, 6)
    const found = await unpack(code, large, setImmediate)
    expect(Buffer.isBuffer(found)).toBe(false)
  })
})

/** As Java's producers do: the size is not known when the frame begins. */
async function zstdStreamed(bytes: number): Promise<Buffer> {
  const stream = createZstdCompress()
  for (let left = bytes; left > 0; left -= 64 * 1024) stream.write(Buffer.alloc(64 * 1024))
  stream.end()
  return Buffer.concat(await stream.toArray())
}
