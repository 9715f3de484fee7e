import { parseStored } from '../../../core/storedJson.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { RecordBatch } from './recordBatch.ts'
import { batchLastOffset, parseBatchKey, tagOf } from './storeKeys.ts'

/** What is known of the checksums of a store's values. */
export interface SealState {
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
