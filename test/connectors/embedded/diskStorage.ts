import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import type {
  KeyRange,
  ScanRequest,
  Storage,
  StorageEntry,
  StorageOperation,
} from '../../../src/connectors/embedded/store/storage.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { MortalProcess } from '../../support/crashes/mortalProcess.ts'

type Entries = ReadonlyMap<string, StorageEntry>

/** What is on a disk: what was synced, and what the operating system still holds. */
export class Disk {
  synced: Entries = new Map()
  written: Entries = new Map()

  /** A power failure: what was not synced is gone. */
  loseUnsynced(): void {
    this.written = this.synced
  }

  /** Another disk with the same content, all of which may be damaged. */
  copy(): Disk {
    const copyOf = (entries: Entries): Entries =>
      new Map([...entries].map(([name, [key, value]]) => [name, [key, Buffer.from(value)]]))
    const copy = new Disk()
    copy.written = copyOf(this.written)
    copy.synced = this.synced === this.written ? copy.written : copyOf(this.synced)
    return copy
  }
}

export interface DiskStorageOptions {
  /** Whose storage it is: nothing that it does after its death reaches the disk. Null: it never dies. */
  readonly mortal?: MortalProcess | null
  /** As if the code under test had forgotten to sync. */
  readonly ignoreSync?: boolean
}

/** A storage in memory, on a disk that outlives it. */
export class DiskStorage implements Storage {
  readonly #disk: Disk
  readonly #mortal: MortalProcess | null
  readonly #ignoreSync: boolean

  constructor(disk: Disk, { mortal = null, ignoreSync = false }: DiskStorageOptions = {}) {
    this.#disk = disk
    this.#mortal = mortal
    this.#ignoreSync = ignoreSync
  }

  get(key: Buffer): Buffer | undefined {
    this.#mortal?.read('storage.get')
    return this.#disk.written.get(key.toString('latin1'))?.[1]
  }

  getText(key: Buffer): string | undefined {
    return this.get(key)?.toString()
  }

  scan({ from, to, limit, maxBytes, reverse = false }: ScanRequest): Promise<readonly StorageEntry[]> {
    return this.#call('storage.scan', () => {
      const found = [...this.#disk.written.values()]
        .filter(([key]) => inRange(key, { from, to }))
        .sort(([a], [b]) => Buffer.compare(a, b))
      if (reverse) found.reverse()
      let bytes = 0
      const end = found.findIndex(([key, value]) => {
        bytes += key.length + value.length
        return bytes >= maxBytes
      })
      return found.slice(0, Math.min(limit, end < 0 ? found.length : end + 1))
    })
  }

  write(operations: readonly StorageOperation[]): Promise<void> {
    return this.#call('storage.write', () => {
      const entries = new Map(this.#disk.written)
      for (const operation of operations) {
        const name = operation.key.toString('latin1')
        if (operation.type === 'put') entries.set(name, [operation.key, operation.value])
        else entries.delete(name)
      }
      this.#put(entries, true)
    })
  }

  /** Not atomic: who dies in the middle of it has deleted half, which is not synced. */
  async clear(range: KeyRange): Promise<void> {
    for (const part of [1 / 2, 1]) {
      await this.#call('storage.clear', () => {
        const entries = new Map(this.#disk.written)
        const names = [...entries].filter(([, [key]]) => inRange(key, range)).map(([name]) => name)
        for (const name of names.slice(0, names.length * part)) entries.delete(name)
        this.#put(entries, part === 1)
      })
    }
  }

  close(): Promise<void> {
    return this.#call('storage.close', () => undefined)
  }

  #put(entries: Entries, sync: boolean): void {
    this.#disk.written = entries
    if (sync && !this.#ignoreSync) this.#disk.synced = entries
  }

  #call<T>(name: string, act: () => T): Promise<T> {
    return this.#mortal === null ? Promise.resolve(act()) : this.#mortal.process.call(name, act)
  }
}

/** The store on a disk. */
export function openOnDisk(
  disk: Disk,
  {
    mortal = null,
    ignoreSync = false,
    ...options
  }: DiskStorageOptions & Partial<Parameters<typeof EmbeddedStore.open>[1]> = {},
): Promise<EmbeddedStore> {
  return EmbeddedStore.open('/nowhere', {
    clock: mortal?.process.clock ?? systemClock,
    openStorage: () => Promise.resolve(new DiskStorage(disk, { mortal, ignoreSync })),
    ...options,
  })
}

function inRange(key: Buffer, { from, to }: KeyRange): boolean {
  return Buffer.compare(key, from) >= 0 && (to === null || Buffer.compare(key, to) < 0)
}
