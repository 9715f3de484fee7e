import type { ValueSeal } from '../../../leveldb/valueSeal.ts'

/**
 * One partition of a topic, as the process that holds the store sees it. Its end moves only after a write has succeeded,
 * so whoever reads below it never sees anything uncommitted.
 */
export class PartitionLog {
  readonly topic: string
  readonly topicId: number
  readonly partition: number
  /** Of the store; batches are bound to their places by it. */
  readonly seal: ValueSeal
  readonly #listeners = new Set<() => void>()
  #end: number

  constructor(topic: string, topicId: number, partition: number, end: number, seal: ValueSeal) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.#end = end
    this.seal = seal
  }

  /** The offset of the next record. */
  get end(): number {
    return this.#end
  }

  /** Called by the store alone, once a write up to `end` is durable. */
  advance(end: number): void {
    this.#end = end
    for (const listener of [...this.#listeners]) listener()
  }

  /** Calls back at every append, until the returned call. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
