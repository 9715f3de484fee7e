import { randomBytes } from 'node:crypto'

/** The one source of randomness. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** `bytes` random bytes in lower-case hex: nonces and lineages. */
  hex(bytes: number): string
}

/** The machine's randomness. */
export const systemRandom: Random = {
  next: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
}
