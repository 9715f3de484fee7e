import type { ObservedCommit } from '../memoryLog.ts'

/**
 * How often each input position was committed: once, and once more in each lineage that a reset has begun and that has come
 * as far.
 */
export class Passes {
  /** Committed offsets by input partition, then lineage. */
  readonly #ends: Map<string, Map<string, number>> = new Map<string, Map<string, number>>()

  note({ task, positions, metadata }: Pick<ObservedCommit, 'task' | 'positions' | 'metadata'>): void {
    for (const [topic, end] of positions) {
      const place = `${topic} ${String(task.partition)}`
      const lineages = this.#ends.get(place) ?? new Map<string, number>()
      this.#ends.set(place, lineages)
      lineages.set(metadata.lineage, end)
    }
  }

  /** Whether a lineage has committed anything of an input partition. */
  knows(topic: string, partition: number, lineage: string): boolean {
    return this.#ends.get(`${topic} ${String(partition)}`)?.has(lineage) ?? false
  }

  /** An input partition whose last commit is of another lineage; null: there is none. */
  outside(lineage: string): string | null {
    for (const [place, lineages] of this.#ends) if ([...lineages.keys()].at(-1) !== lineage) return place
    return null
  }

  /** @param position `topic partition@offset` */
  of(position: string): number {
    const at = position.lastIndexOf('@')
    const offset = Number(position.slice(at + 1))
    let passes = 0
    for (const end of this.#ends.get(position.slice(0, at))?.values() ?? []) if (end > offset) passes += 1
    return passes
  }

  /** Some partition has begun anew. */
  get several(): boolean {
    return [...this.#ends.values()].some((lineages) => lineages.size > 1)
  }
}
