import * as t from 'io-ts'
import type { TopicDescription, TopicOptions } from '../../../core/ports/topics.ts'
import { TidemarkError } from '../../../core/errors.ts'
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

export const defaultMaxMessageBytes = 16 * 1024 * 1024
export const maxPartitions = 10_000

/** A topic of the embedded log. Internal ones belong to the runtime: changelogs, and what `rekey` writes. */
export interface Topic {
  readonly name: string
  readonly id: number
  readonly internal: boolean
  /** Largest record that is taken: key, value and headers. */
  readonly maxMessageBytes: number
  readonly partitions: readonly PartitionLog[]
}

/** What a topic looks like from outside. */
export const topicDescription = t.readonly(
  t.strict({
    name: t.string,
    partitions: t.number,
    maxMessageBytes: t.number,
    internal: t.boolean,
    /** Offset of the next record, by partition. */
    endOffsets: t.readonlyArray(t.number),
  }),
)

export function describeTopic({ name, internal, maxMessageBytes, partitions }: Topic): TopicDescription {
  return {
    name,
    partitions: partitions.length,
    maxMessageBytes,
    internal,
    endOffsets: partitions.map(({ end }) => end),
  }
}

export function checkTopicOptions({ partitions, maxMessageBytes }: TopicOptions): void {
  checkWholeNumber('partitions', partitions, maxPartitions)
  checkWholeNumber('max.message.bytes', maxMessageBytes, 1024 * 1024 * 1024)
}

function checkWholeNumber(option: string, value: number | undefined, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= most)) return
  throw new TidemarkError(
    'invalid-argument',
    `${option} must be a whole number from 1 to ${String(most)}, not ${String(value)}`,
  )
}
