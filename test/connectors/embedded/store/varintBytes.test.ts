import { describe, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import { ByteReader, ByteWriter } from '../../../../src/connectors/embedded/store/varintBytes.ts'

describe('bytes', () => {
  property.prop([
    fc.array(
      fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER)),
    ),
  ])('whole numbers up to 2^53 - 1 are read as they were written', (values) => {
    const writer = new ByteWriter(1)
    for (const value of values) writer.writeVarint(value)
    const reader = new ByteReader(writer.written, 'a test')
    expect(values.map(() => reader.readVarint())).toEqual(values)
    expect(reader.remaining).toBe(0)
  })

  property.prop([fc.string({ unit: 'grapheme' }), fc.uint8Array(), fc.double()])(
    'texts, bytes and doubles are read as they were written',
    (text, array, number) => {
      const writer = new ByteWriter(1)
      writer.writeText(text)
      writer.writeNullable(Buffer.from(array))
      writer.writeNullable(null)
      writer.writeDouble(number)
      const reader = new ByteReader(writer.written, 'a test')
      expect([reader.readText(), reader.readNullable(), reader.readNullable(), reader.readDouble()]).toEqual([
        text,
        Buffer.from(array),
        null,
        number,
      ])
    },
  )

  test.each([
    ['has no end', [0x80, 0x80]],
    ['is above 2^53', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['is far too long', Array.from({ length: 40 }, () => 0xff)],
  ])('a number that %s is refused', (_, bytes) => {
    expect(() => new ByteReader(Buffer.from(bytes), 'a test').readVarint()).toThrow(
      expect.objectContaining({ code: 'corrupt-store' }),
    )
  })

  test('a length beyond the end is refused', () => {
    expect(() => new ByteReader(Buffer.from([200, 1, 0]), 'a test').readNullable()).toThrow(/ends too early/)
  })
})
