import { isCount, isObject, parseStored } from '../core/storedJson.ts'
import type { StorePosition } from './stateStore.ts'

/** A store's position as bytes. */
export function encodeStorePosition(position: StorePosition): Buffer {
  const { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs } = position
  return Buffer.from(JSON.stringify({ version: 1, epoch, nonce, lineage, generation, changelogEnd, appliedAtMs }))
}

/** Null for anything that is not such a position: a store that cannot say what it holds is restored in full. */
export function decodeStorePosition(bytes: Buffer): StorePosition | null {
  const stored = parseStored(bytes)
  if (!isObject(stored) || stored['version'] !== 1) return null
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
