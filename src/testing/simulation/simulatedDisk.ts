import { TidemarkError } from '../../core/errors.ts'
import type { Random } from '../../core/ports/random.ts'
import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import { LogChain } from '../../leveldb/logChain.ts'
import { LogScan } from '../../leveldb/logScan.ts'
import { batchEntries } from '../../leveldb/writeBatch.ts'
import { localPositionKey } from '../../state/changelogKey.ts'
import { MemoryStateDisk, MemoryStateStore } from '../../state/memoryStateStore.ts'
import {
  decodeStorePosition,
  encodeStorePosition,
  type StateStore,
  type StorePosition,
} from '../../state/stateStore.ts'
import { encodeBatch, encodeRecord } from './levelLog.ts'
import { SimulatedFile } from './simulatedFile.ts'

/** LevelDB's format with blocks of two pages, so that a loss of some leaves others to be read. */
const blockBytes = 64

/**
 * The disk of one task's local state, as LevelDB has it: a table, which is synced, and a log of the writes since the last
 * open, which is not. A process that dies leaves all of them behind; a machine that loses its power loses any of their last
 * pages. What is left is verified as a product's is, read where that finds it whole, and emptied where it does not.
 */
export class SimulatedDisk {
  #disk: MemoryStateDisk = new MemoryStateDisk()
  #table: MemoryStateDisk = new MemoryStateDisk()
  /** The last write that stands in the table. */
  #tableSequence = 0
  #sequence = 0
  #log: SimulatedFile = new SimulatedFile()

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
    const disk = this.#disk
    const store = new MemoryStateStore(disk)
    const write = (entries: readonly ChangelogEntry[]): void => {
      if (isFull()) {
        throw new TidemarkError('disk-failed', 'The local state cannot be written: no space left on the device.')
      }
      // What a process still writes while the machine goes down is lost with it.
      if (disk === this.#disk) this.#append(entries)
    }
    return {
      open: () => {
        this.#writeTable()
        return store.open()
      },
      get position(): StorePosition | null {
        return store.position
      },
      get: (key) => store.get(key),
      firstKey: (from) => store.firstKey(from),
      apply: async (delta: readonly ChangelogEntry[], position: StorePosition) => {
        write([...delta, { key: localPositionKey, value: encodeStorePosition(position) }])
        await store.apply(delta, position)
      },
      load: async (part: readonly ChangelogEntry[]) => {
        write(part)
        await store.load(part)
      },
      wipe: async () => {
        const keys = [...this.values.keys()].map((key) => Buffer.from(key, 'latin1'))
        write([{ key: localPositionKey, value: null }])
        write(keys.map((key) => ({ key, value: null })))
        await store.wipe()
      },
      close: () => store.close(),
    }
  }

  /** The power goes. */
  losePower(random: Random): void {
    this.#log.losePower(random)
    this.#recover()
  }

  /** A file of the store is damaged: the log, or the table where the log has nothing. */
  damage(random: Random): void {
    if (this.#log.length === 0) {
      this.#forget()
      return
    }
    this.#log.damage(random)
    this.#recover()
  }

  #append(entries: readonly ChangelogEntry[]): void {
    const batch = encodeBatch(this.#sequence + 1, entries)
    this.#log.append(encodeRecord(batch, this.#log.length, blockBytes))
    this.#sequence += entries.length
  }

  /** What an open does with the log before it. */
  #writeTable(): void {
    this.#table = copyOf(this.#disk)
    this.#tableSequence = this.#sequence
    this.#log = new SimulatedFile()
  }

  /** What the next open will find. */
  #recover(): void {
    if (!this.#isWhole()) {
      this.#forget()
      return
    }
    this.#disk = copyOf(this.#table)
    this.#sequence = this.#tableSequence
    const scan = new LogScan({
      blockBytes,
      keepBytes: Infinity,
      // As LevelDB reads it: what it cannot read is left out.
      pastDamage: true,
      take: (_offset, record) => {
        for (const entry of batchEntries(record)) this.#replay(entry)
      },
    })
    for (const block of this.#blocks()) scan.push(block)
    this.#writeTable()
  }

  #isWhole(): boolean {
    const chain = new LogChain({ lastSequence: this.#tableSequence, tableSequence: this.#tableSequence }, blockBytes)
    chain.begin('log')
    for (const block of this.#blocks()) chain.push(block)
    chain.finish()
    const { damages, tornTail } = chain.findings()
    return damages.length === 0 && tornTail === null
  }

  #replay({
    key,
    value,
    sequence,
  }: {
    readonly key: Buffer
    readonly value: Buffer | null
    readonly sequence: number
  }): void {
    this.#sequence = sequence
    if (key.equals(localPositionKey)) this.#disk.position = value === null ? null : decodeStorePosition(value)
    else if (value === null) this.#disk.values.delete(key.toString('latin1'))
    else this.#disk.values.set(key.toString('latin1'), value.toString('latin1'))
  }

  #forget(): void {
    this.#disk = new MemoryStateDisk()
    this.#sequence = 0
    this.#writeTable()
  }

  *#blocks(): Generator<Buffer> {
    const { bytes } = this.#log
    for (let at = 0; at < bytes.length; at += blockBytes) yield bytes.subarray(at, at + blockBytes)
  }
}

function copyOf({ values, position }: MemoryStateDisk): MemoryStateDisk {
  const copy = new MemoryStateDisk()
  for (const [key, value] of values) copy.values.set(key, value)
  copy.position = position
  return copy
}
