/** What comes after the bound is counted under this key. */
export const otherKey = 'other'

const maxKeyLength = 100

/** Counts by key. Keys may come from anywhere, so their number and length are bounded: the sum is always right. */
export class BoundedCounts {
  readonly #counts = new Map<string, number>()
  readonly #maxKeys: number

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  add(key: string, count = 1): void {
    const short = key.length > maxKeyLength ? `${key.slice(0, maxKeyLength - 1)}…` : key
    const kept = this.#counts.has(short) || this.#counts.size < this.#maxKeys ? short : otherKey
    this.#counts.set(kept, (this.#counts.get(kept) ?? 0) + count)
  }

  get total(): number {
    let total = 0
    for (const count of this.#counts.values()) total += count
    return total
  }

  /** In the order in which the keys were first seen. */
  entries(): readonly (readonly [key: string, count: number])[] {
    return [...this.#counts]
  }
}
