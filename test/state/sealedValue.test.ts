import { expect, test } from 'vitest'
import { openSealedValue, sealValue } from '../../src/state/sealedValue.ts'

const key = Buffer.from('key')

test.each([0, 1, 4, 300, 70_000])('a value of %i bytes is found again', (size) => {
  const value = Buffer.alloc(size, 'value ')
  expect(openSealedValue(key, sealValue(key, value))?.equals(value)).toBe(true)
})

test('any bit that is changed, and another key, are seen', () => {
  const sealed = sealValue(key, Buffer.from('some value'))
  for (let at = 0; at < sealed.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ (1 << bit)
      expect(openSealedValue(key, changed)).toBeNull()
    }
  }
  expect(openSealedValue(Buffer.from('kez'), sealed)).toBeNull()
  expect(openSealedValue(key, sealed.subarray(1))).toBeNull()
  expect(openSealedValue(key, Buffer.from('abc'))).toBeNull()
})
