import { expect, test } from 'vitest'
import { crc32c } from '../../src/codecs/crc32c.ts'

test.each([
  ['', 0],
  ['a', 0xc1d04330],
  ['123456789', 0xe3069283],
  ['The quick brown fox jumps over the lazy dog', 0x22620404],
])('the CRC-32C of %j is the published one', (text, expected) => {
  expect(crc32c(Buffer.from(text))).toBe(expected)
})

test('every length from every place in memory, whole words and rests, agrees with the bitwise definition', () => {
  const bytes = Buffer.from(Array.from({ length: 70 }, (_, index) => (index * 37) & 0xff))
  for (let from = 0; from < 8; from += 1) {
    for (let to = from; to <= bytes.length; to += 1) {
      expect(crc32c(bytes.subarray(from, to))).toBe(bitwise(bytes.subarray(from, to)))
    }
  }
})

test('the CRC of two parts is that of the whole', () => {
  const bytes = Buffer.from(Array.from({ length: 70 }, (_, index) => (index * 37) & 0xff))
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes))
  }
})

function bitwise(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}
