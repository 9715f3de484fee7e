import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { damagedStore } from '../damage/damagedStore.ts'
import type { KeyRange, ScanRequest, Storage, StorageEntry, StorageOperation, WriteOptions } from './storage.ts'
import { displayKey, hasOwnChecksum } from './storeKeys.ts'

/**
 * A storage whose values carry checksums: added when they are written, taken off when they are read. Batches and rows pass
 * as they are; they have checksums of their own.
 */
export class SealedStorage implements Storage {
  readonly #storage: Storage
  readonly #seal: ValueSeal

  constructor(storage: Storage, seal: ValueSeal) {
    this.#storage = storage
    this.#seal = seal
  }

  /** Throws `corrupt-store` for a value that is not what was written. */
  get(key: Buffer): Buffer | undefined {
    const stored = this.#storage.get(key)
    return stored === undefined ? undefined : this.#opened(key, stored)
  }

  /** For values with checksums of their own. */
  getText(key: Buffer): string | undefined {
    return this.#storage.getText(key)
  }

  async scan(request: ScanRequest): Promise<readonly StorageEntry[]> {
    const entries = await this.#storage.scan(request)
    return entries.map(([key, stored]) => [key, this.#opened(key, stored)])
  }

  write(operations: readonly StorageOperation[], options: WriteOptions): Promise<void> {
    const sealed = operations.map((operation) => {
      const { type, key } = operation
      return type === 'del' || hasOwnChecksum(key)
        ? operation
        : { ...operation, value: this.#seal.seal(key, operation.value) }
    })
    return this.#storage.write(sealed, options)
  }

  clear(range: KeyRange): Promise<void> {
    return this.#storage.clear(range)
  }

  close(): Promise<void> {
    return this.#storage.close()
  }

  #opened(key: Buffer, stored: Buffer): Buffer {
    if (hasOwnChecksum(key)) return stored
    const value = this.#seal.open(key, stored)
    if (value !== null) return value
    throw damagedStore(`${displayKey(key)} in the embedded store is damaged: its checksum does not match`)
  }
}
