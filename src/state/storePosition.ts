import type { StorePosition } from './stateStore.ts'

/** A store's position as bytes. */
export function encodeStorePosition(position: StorePosition): Buffer {
  const { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs } = position
  return Buffer.from(JSON.stringify({ version: 1, epoch, nonce, lineage, generation, changelogEnd, appliedAtMs }))
}

/** Null for anything that is not such a position: a store that cannot say what it holds is restored in full. */
export function decodeStorePosition(bytes: Buffer): StorePosition | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch {
    return null
  }
  if (
    typeof parsed === 'object' &&
    parsed !== null &&
    'version' in parsed &&
    parsed.version === 1 &&
    'epoch' in parsed &&
    isCount(parsed.epoch) &&
    'nonce' in parsed &&
    typeof parsed.nonce === 'string' &&
    'lineage' in parsed &&
    typeof parsed.lineage === 'string' &&
    'generation' in parsed &&
    isCount(parsed.generation) &&
    'changelogEnd' in parsed &&
    isCount(parsed.changelogEnd) &&
    'appliedAtMs' in parsed &&
    typeof parsed.appliedAtMs === 'number'
  ) {
    const { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs } = parsed
    return { epoch, nonce, lineage, generation, changelogEnd, appliedAtMs }
  }
  return null
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
