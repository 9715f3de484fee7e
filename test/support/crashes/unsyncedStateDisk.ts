import type { Random } from '../../../src/core/ports/random.ts'
import type { ChangelogEntry } from '../../../src/core/ports/changelog.ts'
import { MemoryStateDisk, MemoryStateStore } from '../../../src/state/memoryStateStore.ts'
import type { StateStore, StorePosition } from '../../../src/state/stateStore.ts'
import type { MortalProcess } from './mortalProcess.ts'

interface Content {
  readonly values: ReadonlyMap<string, string>
  readonly position: StorePosition | null
}

/** The disk of one task's local state, which nobody syncs: writes are in order, and a power failure loses any of the last. */
export class UnsyncedStateDisk {
  #disk = new MemoryStateDisk()
  /** What stood there after each write; the first one is safe. */
  #contents: Content[] = [{ values: new Map(), position: null }]

  get position(): StorePosition | null {
    return this.#disk.position
  }

  /** Keys and values as latin1 text. */
  get values(): ReadonlyMap<string, string> {
    return this.#disk.values
  }

  store(mortal: MortalProcess): StateStore {
    const store = new MemoryStateStore(this.#disk)
    // In memory a write is done when the call returns.
    const noted = (written: Promise<void>): Promise<void> => {
      this.#contents.push({ values: new Map(this.values), position: this.position })
      return written
    }
    return {
      open: () => store.open(),
      get position(): StorePosition | null {
        return store.position
      },
      get: (key) => {
        mortal.read('state.get')
        return store.get(key)
      },
      firstKey: (from) => store.firstKey(from),
      apply: (delta: readonly ChangelogEntry[], position: StorePosition) => noted(store.apply(delta, position)),
      load: (part: readonly ChangelogEntry[]) => noted(store.load(part)),
      wipe: () => {
        // As in a directory: the position goes first, the values bit by bit.
        const values = [...this.values]
        for (const left of [values, values.slice(values.length / 2)]) {
          this.#contents.push({ values: new Map(left), position: null })
        }
        return noted(store.wipe())
      },
      close: () => store.close(),
    }
  }

  /** Goes back to what stood there after some earlier write, or before all of them. */
  losePower(random: Random): void {
    const kept = this.#contents[Math.floor(random.next() * this.#contents.length)]
    if (kept === undefined) return
    this.#disk = new MemoryStateDisk()
    for (const [key, value] of kept.values) this.#disk.values.set(key, value)
    this.#disk.position = kept.position
    this.#contents = [kept]
  }
}
