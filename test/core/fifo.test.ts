import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { Fifo } from '../../src/core/fifo.ts'

describe('Fifo', () => {
  test.prop([fc.array(fc.integer({ min: -3_000, max: 3_000 }), { maxLength: 20 })])(
    'gives back what it was given, in order, over any mix of pushes and shifts',
    (moves) => {
      const fifo = new Fifo<number>()
      const oracle: number[] = []
      let next = 0
      for (const move of moves) {
        for (let count = 0; count < move; count += 1) {
          fifo.push(next)
          oracle.push(next)
          next += 1
        }
        for (let count = 0; count > move; count -= 1) {
          expect(fifo.peek()).toBe(oracle[0])
          expect(fifo.shift()).toBe(oracle.shift())
        }
        expect(fifo.length).toBe(oracle.length)
      }
    },
  )
})
