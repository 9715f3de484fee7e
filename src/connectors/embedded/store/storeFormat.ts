import { TidemarkError } from '../../../core/errors.ts'
import type { Random } from '../../../core/ports/random.ts'
import { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { damagedStore } from '../damage/damagedStore.ts'
import type { Storage } from './storage.ts'
import { firstContentKey, formatKey, upgradingKey, wipingKey } from './storeKeys.ts'
import { upgradeStore } from '../damage/upgradeStore.ts'

/** The layout that this version reads and writes; 1, which had no checksums of values, is made into it once. */
export const storeFormat = '2'
export const unsealedFormat = '1'

/** What format 1 wrote under `wiping`. */
const unsealedWiping: ReadonlySet<string> = new Set(['a sample is being loaded', 'the store is being cleared'])

/** Which store this is, by the entry that says so. */
export interface StoreIdentity {
  /** Random, one per store: the checksums of its values are taken over it as well. */
  readonly id: string
  readonly seal: ValueSeal
}

export interface FormatOptions {
  readonly directory: string
  readonly random: Random
  /** Told of an upgrade before it begins. */
  readonly note: (line: string) => void
}

/**
 * Finds out whose store it is and in which format: gives a new one its id, finishes a wipe that was interrupted, and makes
 * a store of format 1 into one of this format. The storage is told whose it is. Throws `unknown-format` for any other, and `corrupt-store`.
 */
export async function openFormat(storage: Storage, { directory, random, note }: FormatOptions): Promise<StoreIdentity> {
  const found = storage.get(formatKey)
  const wiping = storage.get(wipingKey)
  const isUnsealed = found?.toString() === unsealedFormat
  if (found === undefined || (isUnsealed && wiping !== undefined)) {
    const [entry] = await storage.scan({ from: firstContentKey, to: null, limit: 1, maxBytes: 1 })
    // A store of format 1 that is being wiped has lost this entry first.
    if (entry !== undefined && wiping === undefined) throw unknownFormat(directory, 'none')
    checkWiping(wiping, null)
    return begin(storage, newIdentity(random), wiping)
  }
  if (isUnsealed) {
    note(
      `${directory} is of store format 1, and becomes one of format 2, in which every value has a checksum. Tidemark 0.1.0 cannot read it then`,
    )
    const identity = newIdentity(random)
    await upgradeStore(storage, identity.seal, formatEntry(identity))
    await storage.identify?.(identity.id)
    return identity
  }
  const identity = readIdentity(found)
  if (identity === null) {
    checkFormat(found, directory)
    throw damagedStore(
      `The embedded store in ${directory} is damaged: the entry with its format is not what was written`,
    )
  }
  // Before the first write: what is written here is witnessed as well.
  await storage.identify?.(identity.id)
  if (storage.get(upgradingKey) !== undefined) await upgradeStore(storage, identity.seal, found)
  if (wiping !== undefined) {
    checkWiping(wiping, identity.seal)
    await finishWiping(storage)
  }
  return identity
}

/** Marks a store as void; from then on a crash leaves an empty one. `storage` adds the checksum. */
export async function beginWiping(storage: Storage, reason: string): Promise<void> {
  await storage.write([{ type: 'put', key: wipingKey, value: Buffer.from(reason) }])
}

/** Only for a store that is marked, and whose content has turned out to be wanted. */
export async function endWiping(storage: Storage): Promise<void> {
  await storage.write([{ type: 'del', key: wipingKey }])
}

/** `wiping` says that nothing else counts, so it goes last. The store keeps its id. */
export async function finishWiping(storage: Storage): Promise<void> {
  await storage.clear({ from: firstContentKey, to: null })
  await endWiping(storage)
}

/** Throws `unknown-format` for an entry under `format` of a version that this one does not know. */
export function checkFormat(entry: Buffer, directory: string): void {
  const version = entry.toString().split(' ')[0] ?? ''
  if (version !== storeFormat && version !== unsealedFormat) throw unknownFormat(directory, version)
}

/** The identity that an entry under `format` tells of; null when it is not what was written. */
export function readIdentity(entry: Buffer): StoreIdentity | null {
  const id = /^2 ([0-9a-f]{16})/.exec(entry.toString('latin1', 0, 18))?.[1]
  if (id === undefined) return null
  const identity = { id, seal: new ValueSeal(id) }
  return identity.seal.open(formatKey, entry) === null ? null : identity
}

/** A store without content, as one of this format. */
async function begin(storage: Storage, identity: StoreIdentity, wiping: Buffer | undefined): Promise<StoreIdentity> {
  if (wiping !== undefined) await storage.clear({ from: firstContentKey, to: null })
  await storage.write([
    { type: 'put', key: formatKey, value: formatEntry(identity) },
    { type: 'del', key: wipingKey },
  ])
  await storage.identify?.(identity.id)
  return identity
}

function newIdentity(random: Random): StoreIdentity {
  const id = random.hex(8)
  return { id, seal: new ValueSeal(id) }
}

function formatEntry({ id, seal }: StoreIdentity): Buffer {
  return seal.seal(formatKey, Buffer.from(`${storeFormat} ${id}`))
}

/** A wipe is not finished on the word of an entry that nobody wrote. */
function checkWiping(wiping: Buffer | undefined, seal: ValueSeal | null): void {
  if (wiping === undefined || isWipingMark(wiping, seal)) return
  throw damagedStore('The entry of the embedded store that says it is being cleared is damaged')
}

/** Whether the value under `wiping` is what `beginWiping` wrote. `seal` is null for a store of format 1. */
export function isWipingMark(wiping: Buffer, seal: ValueSeal | null): boolean {
  return seal === null ? unsealedWiping.has(wiping.toString()) : seal.open(wipingKey, wiping) !== null
}

function unknownFormat(directory: string, found: string): TidemarkError {
  const message = `${directory} has store format ${JSON.stringify(found.slice(0, 20))}, and this version of Tidemark reads formats 1 and 2. Use the version that wrote it, or another data.dir`
  return new TidemarkError('unknown-format', message, { details: { path: directory } })
}
