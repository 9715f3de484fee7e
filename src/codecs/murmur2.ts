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
