import { TidemarkError } from '../../core/errors.ts'
import type { Random } from '../../core/ports/random.ts'

/**
 * Randomness that is the same for the same seed: xoshiro128** by Blackman and Vigna (2018), its state filled from the
 * seed by splitmix32. Not for secrets.
 *
 * @param seed any integer up to 2^53.
 * @throws `invalid-argument` for anything else.
 */
export function seededRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) {
    throw new TidemarkError('invalid-argument', `A seed must be an integer below 2^53, not ${String(seed)}.`)
  }
  // Each half of the seed fills its own half of the state, so no two seeds share one.
  const low = splitmix32(seed | 0)
  const high = splitmix32(Math.floor(seed / 2 ** 32) | 0)
  let a = low()
  let b = low()
  let c = high()
  let d = high()

  const word = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return result
  }

  return {
    // 53 bits, as Math.random has
    next: () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53,
    hex(bytes) {
      let text = ''
      while (text.length < bytes * 2) text += word().toString(16).padStart(8, '0')
      return text.slice(0, bytes * 2)
    },
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function splitmix32(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
}
