import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { Fifo } from '../../src/core/fifo.ts'

describe('Fifo', () => {
  test.prop([fc.array(fc.integer({ min: -3_000, max: 3_000 }), { maxLength: 20 })])(
    'gives back what it was given, in order, over any mix of pushes and shifts',
    (moves) => {
      const fifo = new Fifo<number>()
      const oracle: number[] = []
      // Compared at the end: an assertion for each of 60,000 elements takes longer than the queue by far.
      const given: unknown[] = []
      const expected: unknown[] = []
      let next = 0
      for (const move of moves) {
        for (let count = 0; count < move; count += 1) {
          fifo.push(next)
          oracle.push(next)
          next += 1
        }
        for (let count = 0; count > move; count -= 1) {
          given.push(fifo.peek(), fifo.shift())
          expected.push(oracle[0], oracle.shift())
        }
        given.push(fifo.length)
        expected.push(oracle.length)
      }
      expect(given).toEqual(expected)
    },
  )
})
