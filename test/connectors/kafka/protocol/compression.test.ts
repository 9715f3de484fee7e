import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib'
import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { zstdFrame } from '../../../../src/connectors/kafka/protocol/compression.ts'

test.each([0, 1, 255, 256, 300, 65_535, 65_791, 65_792, 200_000, 5_000_000])(
  'a frame of %i bytes says so',
  (length) => {
    expect(zstdFrame(zstdCompressSync(Buffer.alloc(length))).bytes).toBe(length)
  },
)

test('a frame that was begun before its size was known tells its window only', async () => {
  const stream = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: 21 } })
  stream.write(Buffer.alloc(100_000))
  stream.end(Buffer.alloc(3_000_000))
  const frame = Buffer.concat(await stream.toArray())
  expect(zstdFrame(frame)).toEqual({ bytes: null, windowBytes: 2 ** 21 })
})

test('no frame asks for more than zstd gives', () => {
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0, 0])
  expect(zstdFrame(frame)).toEqual({ bytes: null, windowBytes: 128 * 1024 * 1024 })
})

property.prop([fc.uint8Array({ maxLength: 30 }), fc.boolean()])(
  'other bytes say nothing, or something',
  (drawn, magic) => {
    const bytes = Buffer.from(drawn)
    if (magic && bytes.length >= 4) bytes.writeUInt32LE(0xfd2fb528)
    const claims = zstdFrame(bytes)
    expect(claims.windowBytes).toBeLessThanOrEqual(128 * 1024 * 1024)
    expect(claims.bytes ?? 0).toBeGreaterThanOrEqual(0)
  },
)
