import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'

const take = (seed: number, count: number): number[] => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => random.next())
}

describe('seededRandom', () => {
  property.prop([fc.maxSafeInteger()])('one seed gives one sequence', (seed) => {
    expect(take(seed, 20)).toEqual(take(seed, 20))
    expect(seededRandom(seed).hex(16)).toBe(seededRandom(seed).hex(16))
  })

  test('seeds that differ in any bit give different sequences', () => {
    const seeds = [0, ...Array.from({ length: 53 }, (_, bit) => 2 ** bit).filter(Number.isSafeInteger), -1, -2]
    expect(new Set(seeds.map((seed) => seededRandom(seed).hex(16))).size).toBe(seeds.length)
  })

  test('the sequence stays the same from version to version', () => {
    expect(seededRandom(42).hex(8)).toMatchInlineSnapshot(`"275d943dbb0f4cae"`)
  })

  test('numbers lie in [0, 1) and fill it evenly', () => {
    const buckets = Array.from({ length: 10 }, () => 0)
    for (const number of take(1, 10_000)) {
      expect(number >= 0 && number < 1).toBe(true)
      const bucket = Math.floor(number * 10)
      buckets[bucket] = (buckets[bucket] ?? 0) + 1
    }
    for (const count of buckets) expect(count).toBeGreaterThan(850)
  })

  test('hex has two digits a byte', () => {
    const random = seededRandom(1)
    expect([0, 1, 3, 16].map((bytes) => random.hex(bytes).length)).toEqual([0, 2, 6, 32])
    expect(random.hex(100)).toMatch(/^[0-9a-f]{200}$/)
  })

  test.each([NaN, 0.5, 2 ** 53])('seed %d is refused', (seed) => {
    expect(() => seededRandom(seed)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})
