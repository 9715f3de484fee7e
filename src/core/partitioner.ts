import { TidemarkError } from './errors.ts'
import type { OutputRecord } from './record.ts'

const seed = 0x9747b28c
const multiplier = 0x5bd1e995

/**
 * The 32-bit murmur2 hash that Kafka's clients share (seed 0x9747b28c), as a signed integer.
 *
 * Follows org.apache.kafka.common.utils.Utils.murmur2, including its reading of the last one to three bytes.
 */
export function murmur2(bytes: Buffer): number {
  const { length } = bytes
  let hash = seed ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), multiplier)
    word = Math.imul(word ^ (word >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  const rest = length & 3
  if (rest > 0) {
    hash ^= bytes.readUIntLE(whole, rest)
    hash = Math.imul(hash, multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}

/** The partition of a key as Kafka's Java client chooses it: murmur2 without its sign, modulo the partition count. */
export function keyPartition(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** Which partition a record goes to: its own, else by murmur2 of its key, else one after the other. */
export class Partitioner {
  readonly #first: (topic: string) => number
  /** Of each topic, where its last record without a key went. */
  readonly #last = new Map<string, number>()

  /** `first`: where the round robin begins. Tasks differ in it, so that they do not march in step. */
  constructor(first: (topic: string) => number = () => 0) {
    this.#first = first
  }

  /** @throws TidemarkError `invalid-argument` for a partition that the topic does not have. */
  partitionOf({ topic, partition, key }: OutputRecord, partitions: number): number {
    if (partition !== null) {
      if (Number.isInteger(partition) && partition >= 0 && partition < partitions) return partition
      throw noPartition(topic, partitions, partition)
    }
    if (key !== null) return keyPartition(key, partitions)
    const last = this.#last.get(topic)
    const next = (last === undefined ? this.#first(topic) : last + 1) % partitions
    this.#last.set(topic, next)
    return next
  }
}

export function noPartition(topic: string, partitions: number, partition: number): TidemarkError {
  return new TidemarkError(
    'invalid-argument',
    `Topic ${topic} has ${String(partitions)} partitions, from 0 on; there is no partition ${String(partition)}`,
  )
}
