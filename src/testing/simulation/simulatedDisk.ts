import { TidemarkError } from '../../core/errors.ts'
import type { ChangelogEntry } from '../../core/taskLog.ts'
import { MemoryStateDisk, MemoryStateStore } from '../../state/memoryStateStore.ts'
import type { StateStore, StorePosition } from '../../state/stateStore.ts'

/** A write, as it can be done again. */
type Write = (store: StateStore) => Promise<void>

/** Writes that the operating system keeps back before it syncs them. */
const syncedBehind = 8

/**
 * The disk of one task's local state. Writes are in order and not synced: a process that dies leaves them all behind, a
 * machine that loses its power loses the last of them.
 */
export class SimulatedDisk {
  #disk: MemoryStateDisk = new MemoryStateDisk()
  /** All writes that are not synced yet, oldest first, and the disk without them. */
  #unsynced: Write[] = []
  #synced: Write[] = []

  /** The position that the store on it has now. */
  get position(): StorePosition | null {
    return this.#disk.position
  }

  /** Keys and values as latin1 text. */
  get values(): ReadonlyMap<string, string> {
    return this.#disk.values
  }

  /** A store for one process; `isFull` is asked at each write. */
  store(isFull: () => boolean): StateStore {
    const store = new MemoryStateStore(this.#disk)
    const write = async (...writes: readonly Write[]): Promise<void> => {
      if (isFull()) {
        throw new TidemarkError('disk-failed', 'The local state cannot be written: no space left on the device.')
      }
      for (const one of writes) {
        await one(store)
        this.#note(one)
      }
    }
    return {
      open: () => store.open(),
      get position(): StorePosition | null {
        return store.position
      },
      get: (key) => store.get(key),
      firstKey: (from) => store.firstKey(from),
      apply: (delta: readonly ChangelogEntry[], position: StorePosition) =>
        write((target) => target.apply(delta, position)),
      load: (part: readonly ChangelogEntry[]) => write((target) => target.load(part)),
      wipe: () => write((target) => target.wipe()),
      close: () => store.close(),
    }
  }

  /** The power goes: the younger half of what was not synced is lost. */
  async losePower(): Promise<void> {
    const kept = [...this.#synced, ...this.#unsynced.slice(0, Math.floor(this.#unsynced.length / 2))]
    this.#disk = new MemoryStateDisk()
    const store = new MemoryStateStore(this.#disk)
    await store.open()
    for (const write of kept) await write(store)
    this.#synced = kept
    this.#unsynced = []
  }

  /** The store is found damaged at the next open, which empties it: all of it stands in the changelog. */
  damage(): void {
    this.#disk = new MemoryStateDisk()
    this.#synced = []
    this.#unsynced = []
  }

  #note(write: Write): void {
    this.#unsynced.push(write)
    const oldest = this.#unsynced.length > syncedBehind ? this.#unsynced.shift() : undefined
    if (oldest !== undefined) this.#synced.push(oldest)
  }
}
