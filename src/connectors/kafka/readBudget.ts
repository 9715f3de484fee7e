/** How much a process may have read ahead, over all its tasks. */
export class ReadBudget {
  readonly #maxBytes: number
  readonly #freed = new Set<() => void>()
  #bytes = 0

  /** `maxBytes`: of keys, values and headers in all queues, and of what is kept packed; each task may have one record on top. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get spent(): boolean {
    return this.#bytes >= this.#maxBytes
  }

  /** What may still be taken; 0 when it is spent. */
  get left(): number {
    return Math.max(0, this.#maxBytes - this.#bytes)
  }

  take(bytes: number): void {
    this.#bytes += bytes
  }

  give(bytes: number): void {
    const wasSpent = this.spent
    this.#bytes -= bytes
    if (wasSpent && !this.spent) for (const callback of this.#freed) callback()
  }

  /** Calls back whenever a spent budget has room again; returns how to stop that. */
  onFreed(callback: () => void): () => void {
    this.#freed.add(callback)
    return () => this.#freed.delete(callback)
  }
}
