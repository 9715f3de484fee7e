import { sha256Hex } from '../codecs/sha256.ts'

/** Of the embedded world, in the same data directory. */
const namesOfEmbedded: ReadonlySet<string> = new Set(['log', 'control', 'embedded'])

/**
 * The name of the directory for what belongs to a Kafka cluster. Its id is what a broker says: one that is no plain name, or
 * one of ours, is hashed, and never taken for a path.
 */
export function clusterDirectory(clusterId: string | null): string {
  if (clusterId === null) return 'kafka'
  const isName = /^[\w-][\w.-]{0,127}$/.test(clusterId) && !namesOfEmbedded.has(clusterId)
  return isName ? clusterId : sha256Hex(Buffer.from(clusterId), 'lower').slice(0, 22)
}
