import { TidemarkError } from '../../../core/errors.ts'
import { parseStored } from '../../../core/storedJson.ts'
import type { LevelDamage } from '../../../leveldb/diskBytes.ts'
import { readLevelEntries } from '../../../leveldb/readLevelEntries.ts'
import { readVersion, internalKeyBytes } from '../../../leveldb/readVersion.ts'
import { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { RecordBatch } from '../store/recordBatch.ts'
import { keyAfter, type KeyRange } from '../store/storage.ts'
import { isWipingMark, readIdentity, unsealedFormat } from '../store/storeFormat.ts'
import {
  firstContentKey,
  formatKey,
  upgradingKey,
  wipingKey,
  batchLastOffset,
  parseBatchKey,
  tagOf,
} from '../store/storeKeys.ts'
import { readMark } from './upgradeStore.ts'
import { foreignWitness, type FoundWitness } from './witness.ts'

/** What decides how everything else of a store is read. */
export interface StoreHead extends SealState {
  /** Null: it has none, or another one. */
  readonly format: '1' | '2' | null
  /** Nothing else counts: the store was being cleared. */
  readonly wiping: boolean
  /** It is becoming one of format 2; the next open finishes that. */
  readonly upgrading: boolean
  /** One sentence each, without a full stop. */
  readonly damages: readonly string[]
}

/**
 * Reads the few entries that say what a store is. Where what is damaged may have held a newer one, an entry is not believed: a
 * mark that was taken back long ago would say that nothing in the store counts, or that its values have no checksums.
 */
export async function readStoreHead(
  directory: string,
  witness: FoundWitness,
  affected: AffectedKeys,
): Promise<StoreHead> {
  const entries = await newestHeadEntries(directory)
  const mayBeOlder = (key: Buffer): boolean => isAffected(affected, { from: key, to: keyAfter(key) })
  const damages: string[] = []
  const { format, seal, isWhole } = await readFormat(directory, entries(formatKey), {
    witnessed: typeof witness === 'object' ? witness.storeId : null,
    mayBeOlder: mayBeOlder(formatKey),
    damages,
  })

  const wipingMark = entries(wipingKey)
  const isMark = wipingMark !== null && isWipingMark(wipingMark, seal)
  if (wipingMark !== null && !isMark) damages.push('the entry that says that the store was being cleared is damaged')
  if (isMark && mayBeOlder(wipingKey)) {
    damages.push('that the store was being cleared is said by an entry that may be out of date: its content is read')
  }
  const wiping = isMark && !mayBeOlder(wipingKey)
  // A store of format 1 that is being cleared has lost this entry first.
  const isUnsealed = seal === null && wiping && entries(formatKey) === null
  if (isUnsealed) return { ...unsealed, format: unsealedFormat, wiping, damages }
  if (!isWhole && !wiping) damages.push('the entry with the format of the store is missing or damaged')
  if (seal === null) return { ...unsealed, format, wiping, damages }

  const upgradingMark = entries(upgradingKey)
  const upgrading = upgradingMark !== null
  const sealedTo = upgradingMark === null ? null : readMark(upgradingMark, seal)
  if (upgrading && sealedTo === null) damages.push('how far the store is upgraded is damaged')
  else if (upgrading && mayBeOlder(upgradingKey))
    damages.push('how far the store is upgraded may be out of date: each value is read for what it is')
  const isDoubtful = mayBeOlder(upgradingKey) || (upgrading && sealedTo === null)
  return { format, wiping, seal, sealedTo: isDoubtful ? null : sealedTo, isDoubtful, upgrading, damages }
}

const unsealed = { seal: null, sealedTo: null, isDoubtful: false, upgrading: false } as const

/** The newest write of each entry before the content; null: it was deleted, or never written. */
export async function newestHeadEntries(directory: string): Promise<(key: Buffer) => Buffer | null> {
  const found = new Map<string, { readonly sequence: number; readonly value: Buffer | null }>()
  for await (const { key, value, sequence } of readLevelEntries(directory, firstContentKey)) {
    const name = key.toString('latin1')
    if (sequence < (found.get(name)?.sequence ?? 0)) continue
    found.set(name, { sequence, value: value === null ? null : Buffer.from(value) })
  }
  return (key) => found.get(key.toString('latin1'))?.value ?? null
}

/** What the entry with the format, and the witness, say of a store. */
async function readFormat(
  directory: string,
  entry: Buffer | null,
  {
    witnessed,
    mayBeOlder,
    damages,
  }: { readonly witnessed: string | null; readonly mayBeOlder: boolean; readonly damages: string[] },
): Promise<Pick<StoreHead, 'format' | 'seal'> & { readonly isWhole: boolean }> {
  if (entry?.toString() === unsealedFormat) {
    // A store gets its witness with format 2.
    if (witnessed === null) return { format: '1', seal: null, isWhole: true }
    damages.push(mayBeOlder ? 'the entry with the format of the store is one from before its upgrade' : foreignWitness)
    return mayBeOlder
      ? { format: '2', seal: new ValueSeal(witnessed), isWhole: true }
      : { format: '1', seal: null, isWhole: true }
  }
  const own = entry === null ? null : readIdentity(entry)
  const isWhole = own !== null
  if (witnessed === null) return { format: isWhole ? '2' : null, seal: own?.seal ?? null, isWhole }
  const seal = new ValueSeal(witnessed)
  if (own === null || own.id === witnessed) return { format: '2', seal, isWhole }
  damages.push(foreignWitness)
  return { format: '2', seal: (await isAllOf(directory, own.seal, seal)) ? own.seal : seal, isWhole }
}

/**
 * Of a log and a witness that belong to different stores the log is read as its own, so that all of it is there. Where only a
 * file of it is mixed up the witness is right: what the others hold says so.
 */
async function isAllOf(directory: string, own: ValueSeal, other: ValueSeal): Promise<boolean> {
  const [ours, others] = [own, other].map((seal) => new StoredValues({ seal, sealedTo: null, isDoubtful: false }))
  for await (const { key, value } of readLevelEntries(directory)) {
    if (value === null || Buffer.compare(key, firstContentKey) <= 0) continue
    if (others?.isWhole(key, value) === true && ours?.isWhole(key, value) !== true) return false
  }
  return true
}

/** Keys of which something may be missing, both ends inclusive. Null: of any. */
export type AffectedKeys = readonly (readonly [from: Buffer, to: Buffer])[] | null

/** A table holds the keys between its first and its last; anything else that is damaged may have held every key. */
export async function affectedKeys(directory: string, damages: readonly LevelDamage[]): Promise<AffectedKeys> {
  if (damages.length === 0) return []
  const { version, damage } = await readVersion(directory)
  if (version === null || damage !== null) return null
  const ranges: (readonly [Buffer, Buffer])[] = []
  for (const { file } of damages) {
    const table = version.tables.get(Number(/^(\d+)\.(?:ldb|sst)$/.exec(file)?.[1] ?? -1))
    if (table === undefined) return null
    ranges.push([table.smallest.subarray(0, -internalKeyBytes), table.largest.subarray(0, -internalKeyBytes)])
  }
  return ranges
}

/** Whether anything of a range may be missing. */
export function isAffected(affected: AffectedKeys, { from, to }: KeyRange): boolean {
  if (affected === null) return true
  return affected.some(
    ([first, last]) => Buffer.compare(last, from) >= 0 && (to === null || Buffer.compare(first, to) < 0),
  )
}

/** What is known of the checksums of a store's values. */
interface SealState {
  /** Null: values have no checksums, or it is not known over what they were taken. */
  readonly seal: ValueSeal | null
  /** An upgrade has come to this key; null: none is under way. */
  readonly sealedTo: Buffer | null
  /** How far an upgrade has come cannot be told: a value is with its checksum, or what was written before there was one. */
  readonly isDoubtful: boolean
}

/** Reads the values of a store as they were written; null for what was not written so. */
export class StoredValues {
  readonly #state: SealState

  constructor(state: SealState) {
    this.#state = state
  }

  batch(key: Buffer, value: Buffer): RecordBatch | null {
    try {
      const { partition } = parseBatchKey(key)
      const mark = this.#state.seal?.ofKey(key) ?? 0
      return new RecordBatch({ topic: '', partition, lastOffset: batchLastOffset(key), mark }, value)
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error
      return null
    }
  }

  /** The text of a row. */
  row(key: Buffer, value: Buffer): string | null {
    const { isDoubtful } = this.#state
    const seal = this.#sealOf(key)
    const opened = seal === null ? null : seal.openText(key, value.toString())
    if (opened !== null || (seal !== null && !isDoubtful)) return opened
    return parseStored(value) === undefined ? null : value.toString()
  }

  /** The value of any other entry. */
  entry(key: Buffer, value: Buffer): Buffer | null {
    const { isDoubtful } = this.#state
    const seal = this.#sealOf(key)
    if (seal === null) return value
    const opened = seal.open(key, value)
    return opened !== null || !isDoubtful || parseStored(value) === undefined ? opened : value
  }

  isWhole(key: Buffer, value: Buffer): boolean {
    const tag = tagOf(key)
    if (tag === 'record') return this.batch(key, value) !== null
    return (tag === 'row' ? this.row(key, value) : this.entry(key, value)) !== null
  }

  /** Null: the value has no checksum. */
  #sealOf(key: Buffer): ValueSeal | null {
    const { seal, sealedTo } = this.#state
    return sealedTo !== null && Buffer.compare(key, sealedTo) > 0 ? null : seal
  }
}
