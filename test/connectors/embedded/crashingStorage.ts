import type {
  KeyRange,
  ScanRequest,
  Storage,
  StorageEntry,
  StorageOperation,
  WriteOptions,
} from '../../../src/connectors/embedded/store/storage.ts'

type Entries = ReadonlyMap<string, StorageEntry>

/** What is on a disk: what was synced, and what the operating system still holds. */
export class Disk {
  synced: Entries = new Map()
  written: Entries = new Map()

  /** A power failure: what was not synced is gone. */
  loseUnsynced(): void {
    this.written = this.synced
  }
}

/** When the process dies: at which call, and whether that call still took effect. */
export interface CrashPoint {
  readonly call: number
  readonly effect: boolean
}

/** A storage in memory that dies at a given call: that call and all later ones fail. */
export class CrashingStorage implements Storage {
  readonly #disk: Disk
  readonly #crash: CrashPoint | null
  readonly #ignoreSync: boolean
  calls = 0
  #dead = false

  /** `ignoreSync`: as if the code under test had forgotten to sync. */
  constructor(disk: Disk, crash: CrashPoint | null = null, options: { readonly ignoreSync?: boolean } = {}) {
    this.#disk = disk
    this.#crash = crash
    this.#ignoreSync = options.ignoreSync ?? false
  }

  get(key: Buffer): Buffer | undefined {
    if (this.#dead) throw new Error('the process is dead')
    return this.#disk.written.get(key.toString('latin1'))?.[1]
  }

  getText(key: Buffer): string | undefined {
    return this.get(key)?.toString()
  }

  scan({ from, to, limit, maxBytes, reverse = false }: ScanRequest): Promise<readonly StorageEntry[]> {
    return this.#call(() => {
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

  write(operations: readonly StorageOperation[], { sync }: WriteOptions): Promise<void> {
    return this.#call(() => {
      const entries = new Map(this.#disk.written)
      for (const operation of operations) {
        const name = operation.key.toString('latin1')
        if (operation.type === 'put') entries.set(name, [operation.key, operation.value])
        else entries.delete(name)
      }
      this.#disk.written = entries
      if (sync && !this.#ignoreSync) this.#disk.synced = entries
    })
  }

  /** Not atomic: a crash that takes effect has deleted half of it. */
  clear(range: KeyRange): Promise<void> {
    const dies = this.calls === this.#crash?.call
    return this.#call(() => {
      const entries = new Map(this.#disk.written)
      const names = [...entries].filter(([, [key]]) => inRange(key, range)).map(([name]) => name)
      for (const name of dies ? names.slice(0, names.length / 2) : names) entries.delete(name)
      this.#disk.written = entries
      if (!dies && !this.#ignoreSync) this.#disk.synced = entries
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #call<T>(action: () => T): Promise<T> {
    if (this.#dead) return Promise.reject(new Error('the process is dead'))
    const call = this.calls++
    if (call !== this.#crash?.call) return Promise.resolve(action())
    this.#dead = true
    if (this.#crash.effect) action()
    return Promise.reject(new Error('the process is dead'))
  }
}

function inRange(key: Buffer, { from, to }: KeyRange): boolean {
  return Buffer.compare(key, from) >= 0 && (to === null || Buffer.compare(key, to) < 0)
}
