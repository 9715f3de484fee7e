import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { FrameReader, NotKafka } from '../../../../src/connectors/kafka/protocol/frameReader.ts'

function frameOf(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

const bodies = fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 8 })

property.prop([bodies, fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 20 })])(
  'frames come out as they went in, however the stream is cut',
  (drawn, cuts) => {
    const frames = drawn.map((body) => frameOf(Buffer.from(body)))
    const stream = Buffer.concat(frames)
    const reader = new FrameReader()
    const found: Buffer[] = []
    for (let at = 0, n = 0; at < stream.length; n += 1) {
      const size = cuts[n % cuts.length] ?? 1
      // The socket's memory is its own: what it was may be another thing by the next piece.
      const piece = Buffer.from(stream.subarray(at, at + size))
      reader.read(piece, (frame) => found.push(Buffer.from(frame)))
      piece.fill(0xee)
      at += size
    }
    expect(found).toEqual(frames)
  },
)

test('a long answer is put together once, and stays whole while the next one comes', () => {
  const reader = new FrameReader()
  const body = Buffer.alloc(3_000_000, 7)
  const frames: Buffer[] = []
  for (const stream of [frameOf(body), frameOf(Buffer.alloc(70_000, 8))]) {
    for (let at = 0; at < stream.length; at += 65_536) {
      reader.read(stream.subarray(at, at + 65_536), (frame) => frames.push(frame))
    }
  }
  expect(frames.map(({ length }) => length)).toEqual([3_000_004, 70_004])
  expect(frames[0]?.subarray(4).equals(body)).toBe(true)
  expect(frames[0]?.buffer.byteLength).toBeLessThan(3_100_000)
})

test('a length alone takes no memory, and one that no broker sends is refused', () => {
  const before = process.memoryUsage().arrayBuffers
  const length = Buffer.alloc(8)
  length.writeInt32BE(2 ** 30)
  const readers = Array.from({ length: 8 }, () => new FrameReader())
  for (const reader of readers) reader.read(length, () => undefined)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
  length.writeInt32BE(2 ** 30 + 1)
  expect(() => {
    new FrameReader().read(length, () => undefined)
  }).toThrow(NotKafka)
})
