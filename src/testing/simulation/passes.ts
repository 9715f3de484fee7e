import { offsetOf } from '../../core/offsetPosition.ts'
import type { ObservedCommit } from '../world/memoryLog.ts'

/**
 * How often each input position was committed: once, and once more in each lineage that a reset has begun and that has come
 * as far.
 */
export class Passes {
  /** Committed offsets by input partition, then lineage. */
  readonly #ends: Map<string, Map<string, number>> = new Map<string, Map<string, number>>()

  /** @param nameOf what the positions of a topic begin with. */
  note(
    { task, positions, metadata }: Pick<ObservedCommit, 'task' | 'positions' | 'metadata'>,
    nameOf: (topic: string) => string,
  ): void {
    for (const [topic, end] of positions) {
      const place = `${nameOf(topic)} ${String(task.partition)}`
      const lineages = this.#ends.get(place) ?? new Map<string, number>()
      this.#ends.set(place, lineages)
      lineages.set(metadata.lineage, offsetOf(end))
    }
  }

  /** Whether a lineage has committed anything of an input partition. */
  knows(name: string, partition: number, lineage: string): boolean {
    return this.#ends.get(`${name} ${String(partition)}`)?.has(lineage) ?? false
  }

  /** An input partition, of a topic that is there, whose last commit is of another lineage; null: there is none. */
  outside(lineage: string, exists: (name: string) => boolean): string | null {
    for (const [place, lineages] of this.#ends) {
      if ([...lineages.keys()].at(-1) !== lineage && exists(place.slice(0, place.lastIndexOf(' ')))) return place
    }
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
