import { Fifo } from '../core/fifo.ts'
import type { LookupEntry } from './lookupEntry.ts'

/** Records that wait to be asked for. What is asked for again goes before what is new, one by one. */
export class LookupBacklog<V, R> {
  readonly #fresh = new Fifo<LookupEntry<V, R>>()
  /** What has been given up meanwhile is skipped. */
  readonly #again = new Fifo<LookupEntry<V, R>>()

  get fresh(): number {
    return this.#fresh.length
  }

  add(entry: LookupEntry<V, R>): void {
    this.#fresh.push(entry)
  }

  addAgain(entry: LookupEntry<V, R>): void {
    this.#again.push(entry)
  }

  /** The next one that is asked for again. */
  again(): LookupEntry<V, R> | undefined {
    for (let entry = this.#again.peek(); entry !== undefined; entry = this.#again.peek()) {
      if (entry.state === 'waiting') return entry
      this.#again.shift()
    }
    return undefined
  }

  /** Takes that one. */
  takeAgain(): void {
    this.#again.shift()
  }

  /** Takes so many new ones, or as many as there are. */
  takeFresh(size: number): LookupEntry<V, R>[] {
    const entries: LookupEntry<V, R>[] = []
    while (entries.length < size) {
      const entry = this.#fresh.shift()
      if (entry === undefined) break
      entries.push(entry)
    }
    return entries
  }
}
