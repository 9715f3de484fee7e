import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { damagedStore } from '../damage/damagedStore.ts'
import { displayKey, hasOwnChecksum } from './storeKeys.ts'

export type StorageOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

export type StorageEntry = readonly [key: Buffer, value: Buffer]

/** A stretch of keys, in byte order. */
export interface KeyRange {
  /** Inclusive. */
  readonly from: Buffer
  /** Exclusive; null: to the last key. */
  readonly to: Buffer | null
}

export interface ScanRequest extends KeyRange {
  /** Most entries; there may be fewer although more are left. */
  readonly limit: number
  /** Stops after the entry that reaches this many bytes. */
  readonly maxBytes: number
  /** From the end of the range downwards. */
  readonly reverse?: boolean
}

/** The ordered key-value store under the embedded world; LevelDB outside of tests. */
export interface Storage {
  /** Reads one entry without waiting. */
  get(key: Buffer): Buffer | undefined
  /** The same of a value that is text; a buffer less, which is a third of the time of a small read. */
  getText(key: Buffer): string | undefined
  /** One page of a range; an empty one: nothing is left. */
  scan(request: ScanRequest): Promise<readonly StorageEntry[]>
  /** One atomic write, which survives a power failure once it has resolved, as all before it do. */
  write(operations: readonly StorageOperation[]): Promise<void>
  /** Deletes a range, bit by bit: not atomic; each bit is durable before the next. */
  clear(range: KeyRange): Promise<void>
  close(): Promise<void>
  /** Told once which store this is, by one that has more than one place of its own, and checks that they belong together. */
  identify?(storeId: string): Promise<void>
}

/** Goes through a range page by page, holding one page in memory. */
export async function* scanPages(
  storage: Storage,
  range: KeyRange,
  page: { readonly limit: number; readonly maxBytes: number },
): AsyncGenerator<readonly StorageEntry[], void> {
  let { from } = range
  for (;;) {
    const entries = await storage.scan({ from, to: range.to, ...page })
    const last = entries.at(-1)
    if (last === undefined) return
    yield entries
    from = keyAfter(last[0])
  }
}

/** The smallest key above another. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.alloc(1)])
}

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

  write(operations: readonly StorageOperation[]): Promise<void> {
    const sealed = operations.map((operation) => {
      const { type, key } = operation
      return type === 'del' || hasOwnChecksum(key)
        ? operation
        : { ...operation, value: this.#seal.seal(key, operation.value) }
    })
    return this.#storage.write(sealed)
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
