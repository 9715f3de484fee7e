import { TidemarkError } from '../core/errors.ts'
import type { ChangelogEntry } from '../core/ports/changelog.ts'
import type { StateStore, StorePosition } from './stateStore.ts'

/** What survives when a process ends: hand the same one to the next `MemoryStateStore` to model a disk. */
export class MemoryStateDisk {
  /** Keys and values as latin1 text: a small Buffer would keep the whole slab alive that it was cut from. */
  readonly values: Map<string, string> = new Map<string, string>()
  position: StorePosition | null = null
}

/**
 * A state store on the heap: for `state.backend = memory:` and for tests. After a restart of the process all state is
 * read from the changelog again.
 */
export class MemoryStateStore implements StateStore {
  readonly #disk: MemoryStateDisk
  #isOpen = false

  constructor(disk: MemoryStateDisk = new MemoryStateDisk()) {
    this.#disk = disk
  }

  get position(): StorePosition | null {
    return this.#disk.position
  }

  open(): Promise<void> {
    this.#isOpen = true
    return Promise.resolve()
  }

  get(key: Buffer): Buffer | undefined {
    this.#checkOpen()
    const value = this.#disk.values.get(key.toString('latin1'))
    return value === undefined ? undefined : Buffer.from(value, 'latin1')
  }

  firstKey(from: Buffer): Promise<Buffer | undefined> {
    this.#checkOpen()
    // The order of latin1 text is that of its bytes.
    const least = from.toString('latin1')
    let first: string | undefined
    for (const key of this.#disk.values.keys()) if (key >= least && (first === undefined || key < first)) first = key
    return Promise.resolve(first === undefined ? undefined : Buffer.from(first, 'latin1'))
  }

  apply(delta: readonly ChangelogEntry[], position: StorePosition): Promise<void> {
    this.#write(delta)
    this.#disk.position = position
    return Promise.resolve()
  }

  load(part: readonly ChangelogEntry[]): Promise<void> {
    this.#write(part)
    return Promise.resolve()
  }

  wipe(): Promise<void> {
    this.#checkOpen()
    this.#disk.position = null
    this.#disk.values.clear()
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#isOpen = false
    return Promise.resolve()
  }

  #write(entries: readonly ChangelogEntry[]): void {
    this.#checkOpen()
    for (const { key, value } of entries) {
      if (value === null) this.#disk.values.delete(key.toString('latin1'))
      else this.#disk.values.set(key.toString('latin1'), value.toString('latin1'))
    }
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new TidemarkError('broken-invariant', 'A state store was used while it was not open.')
  }
}
