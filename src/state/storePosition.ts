import { isCount, isObject, parseStored } from '../core/storedJson.ts'
import type { StorePosition } from './stateStore.ts'

/** What stood in front of it: values without checksums. */
const earlierVersion = 1
const version = 2

/** A store's position as bytes. */
export function encodeStorePosition(position: StorePosition): Buffer {
  const { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs } = position
  return Buffer.from(JSON.stringify({ version, epoch, nonce, lineage, generation, changelogEnd, appliedAtMs }))
}

/** Null for anything that is not such a position: a store that cannot say what it holds is restored in full. */
export function decodeStorePosition(bytes: Buffer): StorePosition | null {
  const stored = parseStored(bytes)
  if (!isObject(stored) || stored['version'] !== version) return null
  const { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs } = stored
  return isCount(epoch) &&
    typeof nonce === 'string' &&
    typeof lineage === 'string' &&
    isCount(generation) &&
    isCount(changelogEnd) &&
    typeof appliedAtMs === 'number'
    ? { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs }
    : null
}

/** Whether these are the bytes of a position that an earlier version of Tidemark has written, as it stored them. */
export function isEarlierPosition(bytes: Buffer): boolean {
  const stored = parseStored(bytes)
  return isObject(stored) && stored['version'] === earlierVersion
}
