import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { ValueSeal } from '../../src/leveldb/valueSeal.ts'

const seal = new ValueSeal('a store')
const key = Buffer.from('key')

test.each([0, 1, 4, 300, 70_000])('a value of %i bytes is found again', (size) => {
  const value = Buffer.alloc(size, 'value ')
  expect(seal.open(key, seal.seal(key, value))?.equals(value)).toBe(true)
})

test('any bit that is changed, another key, and another store are seen', () => {
  const sealed = seal.seal(key, Buffer.from('some value'))
  for (let at = 0; at < sealed.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ (1 << bit)
      expect(seal.open(key, changed)).toBeNull()
    }
  }
  expect(seal.open(Buffer.from('kez'), sealed)).toBeNull()
  expect(new ValueSeal('another').open(key, sealed)).toBeNull()
  expect(new ValueSeal().open(key, sealed)).toBeNull()
  expect(seal.open(key, sealed.subarray(1))).toBeNull()
  expect(seal.open(key, Buffer.from('abc'))).toBeNull()
})

test('a value that has the CRC-32 of key and value behind it, as on the first day of format 2, is found again', () => {
  const value = Buffer.from('some value')
  const sealed = Buffer.concat([value, Buffer.alloc(4)])
  sealed.writeUInt32BE(crc32(Buffer.concat([Buffer.from('a store'), key, value])), value.length)
  expect(seal.open(key, sealed)?.toString()).toBe('some value')
  expect(new ValueSeal('another').open(key, sealed)).toBeNull()
})
