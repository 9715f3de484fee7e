import { crc32c } from '../../codecs/crc32c.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { Random } from '../../core/ports/random.ts'
import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import { maskedCrc } from '../../leveldb/diskBytes.ts'
import { LogChain } from '../../leveldb/logChain.ts'
import { LogScan, fragmentHeaderBytes } from '../../leveldb/logScan.ts'
import { batchEntries, batchHeadBytes, type LevelEntry } from '../../leveldb/writeBatch.ts'
import { localPositionKey } from '../../state/changelogKey.ts'
import { MemoryStateDisk, MemoryStateStore } from '../../state/memoryStateStore.ts'
import {
  decodeStorePosition,
  encodeStorePosition,
  type StateStore,
  type StorePosition,
} from '../../state/stateStore.ts'

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
    this.#log.append(encodeRecord(batch, this.#log.length))
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

  #replay({ key, value, sequence }: LevelEntry): void {
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

/** Writes that the operating system keeps back before it writes them to the disk. */
const writtenBehind = 8
/** A page of the operating system; small, because a simulated task writes a few hundred bytes between two starts. */
const pageBytes = 32

/** A file that is appended to and never synced. */
class SimulatedFile {
  length = 0
  /** Since it was read last, after what was there then. */
  #writes: Buffer[] = []
  /** How long it was before each of the last writes, oldest first; what is before the oldest is on the disk. */
  #lengths: number[] = []

  get bytes(): Buffer {
    return this.#put(Buffer.concat(this.#writes))
  }

  append(bytes: Buffer): void {
    this.#lengths.push(this.length)
    if (this.#lengths.length > writtenBehind) this.#lengths.shift()
    this.#writes.push(bytes)
    this.length += bytes.length
  }

  /**
   * The power goes. Pages that were not written yet read as zeros: the last ones, or any of them, also before others that
   * were; and the file is as long as it was at any moment since.
   */
  losePower(random: Random): void {
    const { bytes } = this
    const lengths = [...this.#lengths, bytes.length]
    const safe = lengths[0] ?? bytes.length
    const holes = random.next()
    // Of some power losses none, of some a few, of some half of them.
    const share = holes < 0.4 ? 0 : holes < 0.8 ? 0.1 : 0.5
    for (let page = safe - (safe % pageBytes); page < bytes.length; page += pageBytes) {
      if (random.next() < share) bytes.subarray(Math.max(safe, page), page + pageBytes).fill(0)
    }
    if (random.next() >= 0.5) this.#put(bytes.subarray(0, lengths[Math.floor(random.next() * lengths.length)]))
    this.#lengths = []
  }

  /** A bit is flipped somewhere, a page is lost, or the end. */
  damage(random: Random): void {
    const { bytes } = this
    const at = Math.floor(random.next() * bytes.length)
    const how = Math.floor(random.next() * 3)
    if (how === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random.next() * 8))
    else if (how === 1) bytes.subarray(at - (at % pageBytes), at - (at % pageBytes) + pageBytes).fill(0)
    else this.#put(bytes.subarray(0, at))
  }

  #put(bytes: Buffer): Buffer {
    this.#writes = [bytes]
    this.length = bytes.length
    return bytes
  }
}

const full = 1
const first = 2
const middle = 3
const last = 4

/** Writes as LevelDB puts them into its log: one record of a log. */
export function encodeBatch(sequence: number, entries: readonly ChangelogEntry[]): Buffer {
  const head = Buffer.alloc(batchHeadBytes)
  head.writeBigUInt64LE(BigInt(sequence))
  head.writeUInt32LE(entries.length, 8)
  return Buffer.concat([
    head,
    ...entries.flatMap(({ key, value }) => [
      Buffer.of(value === null ? 0 : 1),
      ...slice(key),
      ...(value === null ? [] : slice(value)),
    ]),
  ])
}

/** A record as it is added to a log of this length: in fragments, none of which crosses the end of a block. */
export function encodeRecord(record: Buffer, length: number): Buffer {
  const parts: Buffer[] = []
  let at = length % blockBytes
  for (let from = 0, begins = true; begins || from < record.length; begins = false) {
    if (blockBytes - at < fragmentHeaderBytes) {
      parts.push(Buffer.alloc(blockBytes - at))
      at = 0
    }
    const data = record.subarray(from, from + blockBytes - at - fragmentHeaderBytes)
    const ends = from + data.length === record.length
    parts.push(fragment(begins ? (ends ? full : first) : ends ? last : middle, data))
    at = (at + fragmentHeaderBytes + data.length) % blockBytes
    from += data.length
  }
  return Buffer.concat(parts)
}

function fragment(type: number, data: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(fragmentHeaderBytes + data.length)
  bytes.writeUInt16LE(data.length, 4)
  bytes.writeUInt8(type, 6)
  data.copy(bytes, fragmentHeaderBytes)
  bytes.writeUInt32LE(maskedCrc(crc32c(bytes.subarray(6))))
  return bytes
}

/** Bytes behind their length. */
function slice(bytes: Buffer): readonly [Buffer, Buffer] {
  const length: number[] = []
  for (let left = bytes.length; length.length === 0 || left > 0; left = Math.floor(left / 0x80)) {
    length.push((left % 0x80) + (left >= 0x80 ? 0x80 : 0))
  }
  return [Buffer.from(length), bytes]
}
