import { crc32c } from '../codecs/crc32c.ts'
import { isZero, maskedCrc } from './diskBytes.ts'

/** LevelDB's log format: records in fragments, none of which crosses the end of a block. */
export const logBlockBytes = 32 * 1024
/** Checksum, length and type of a fragment. */
export const fragmentHeaderBytes = 7
const headerBytes = fragmentHeaderBytes
/** What a machine that loses its power has or has not written. */
const pageBytes = 4096
const full = 1
const first = 2
const last = 4

/**
 * How much is summed in the search for records behind damage. Bytes that all look like headers would else cost a block each;
 * where it does not suffice, what is there counts as a record.
 */
const mostSearchedBytes = 256 * 1024 * 1024

/** Where a log stops being readable. */
export interface LogBreak {
  readonly offset: number
  readonly reason: string
  /**
   * True for what a crash in the middle of the last write may leave: a record that ends beyond the file, or of which pages
   * are missing (zeros where a page begins), and no beginning of another record behind it.
   */
  readonly torn: boolean
  /** The same where the missing page ends within the header of the record: of so few zeros chance may be the cause as well. */
  readonly perhapsTorn: boolean
  /** The file ends within the record. */
  readonly endsFile: boolean
}

export interface LogScanOptions {
  /** Told each whole record: where it begins, and its first `keepBytes`. The bytes are valid during the call. */
  readonly take: (offset: number, bytes: Buffer) => void
  readonly keepBytes: number
  /** Of the log; default: LevelDB's. */
  readonly blockBytes?: number
  /** Goes on behind damage with the next block in which a record begins; default: what is behind it is only looked at. */
  readonly pastDamage?: boolean
}

/**
 * Reads a file in LevelDB's log format (`.log` and MANIFEST), block by block, and finds where it stops being what LevelDB
 * writes. Holds one block, and what is kept of one record. Pure: bytes may come from a disk or from a simulation.
 */
export class LogScan {
  readonly #options: LogScanOptions
  readonly #blockBytes: number
  #blockOffset = 0
  /** The fragments of a record that has begun, up to `keepBytes`. */
  #open: { readonly offset: number; readonly parts: Buffer[]; bytes: number } | null = null
  #break: (LogBreak & { torn: boolean; perhapsTorn: boolean }) | null = null
  #searched = 0

  constructor(options: LogScanOptions) {
    this.#options = options
    this.#blockBytes = options.blockBytes ?? logBlockBytes
  }

  /** The next block; the last one of a file is shorter, unless it is exactly full. */
  push(block: Buffer): void {
    if (this.#break === null || this.#options.pastDamage === true) this.#read(block)
    else this.#search(block, 0)
    this.#blockOffset += block.length
  }

  /** Where the log stops being readable; null: all of it is whole. */
  end(): LogBreak | null {
    if (this.#break === null && this.#open !== null) {
      const { offset } = this.#open
      return { offset, reason: 'the file ends within a record', torn: true, perhapsTorn: false, endsFile: true }
    }
    return this.#break
  }

  #read(block: Buffer): void {
    let at = 0
    while (at < block.length) {
      const room = this.#blockBytes - at
      if (room < headerBytes) {
        if (!isZero(block.subarray(at))) this.#stop(block, at, block.length, 'the padding of a block is not zero')
        return
      }
      const fragment = readFragment(block, at, this.#blockBytes)
      if (typeof fragment === 'string') {
        const end = endOfFragment(block, at, this.#blockBytes)
        this.#stop(block, at, end, fragment, end > block.length && !isWholeButForItsLength(block, at))
        if (this.#options.pastDamage !== true) return
        // Where its length is right the next record is there; else nothing else of this block is read.
        at = end
        continue
      }
      const misplaced = this.#misplaced(fragment)
      if (misplaced !== null) {
        this.#stop(block, at, at, misplaced)
        if (this.#options.pastDamage !== true) return
      }
      this.#add(fragment, at)
      at = fragment.end
    }
  }

  /** Why this fragment cannot stand behind the one before. */
  #misplaced({ type }: Fragment): string | null {
    const begins = type === full || type === first
    if (begins) return this.#open === null ? null : 'a record begins within another'
    return this.#open === null && this.#break === null ? 'a record has no beginning' : null
  }

  #add({ type, data }: Fragment, at: number): void {
    if (type === full || type === first) this.#open = { offset: this.#blockOffset + at, parts: [], bytes: 0 }
    const open = this.#open
    // Behind damage: the rest of a record whose beginning is lost.
    if (open === null) return
    const room = this.#options.keepBytes - open.bytes
    if (room > 0) {
      // A copy, because the block may be read into again.
      const part = type === full ? data.subarray(0, room) : Buffer.from(data.subarray(0, room))
      open.parts.push(part)
      open.bytes += part.length
    }
    if (type === full || type === last) {
      this.#open = null
      const [only] = open.parts
      this.#options.take(open.offset, open.parts.length === 1 && only !== undefined ? only : Buffer.concat(open.parts))
    }
  }

  #stop(block: Buffer, at: number, end: number, reason: string, beyondFile = false): void {
    this.#open = null
    if (this.#break !== null) return
    const torn = beyondFile || hasMissingPage(block, at, end)
    const perhapsTorn = !torn && beginsWithZeros(block, at)
    this.#break = { offset: this.#blockOffset + at, reason, torn, perhapsTorn, endsFile: beyondFile }
    this.#search(block, at + 1)
  }

  /** A record that begins behind the break tells that the break is not the end. */
  #search(block: Buffer, from: number): void {
    if (this.#break === null || !(this.#break.torn || this.#break.perhapsTorn)) return
    for (let at = from; at + headerBytes <= block.length; at += 1) {
      const type = block[at + 6]
      if (type !== full && type !== first) continue
      const end = endOfFragment(block, at, this.#blockBytes)
      if (end > block.length) continue
      this.#searched += end - at
      if (this.#searched > mostSearchedBytes || typeof readFragment(block, at, this.#blockBytes) !== 'string') {
        this.#break.torn = false
        this.#break.perhapsTorn = false
        return
      }
    }
  }
}

interface Fragment {
  readonly type: number
  readonly data: Buffer
  /** In its block. */
  readonly end: number
}

/** The fragment there, or why there is none. */
function readFragment(block: Buffer, at: number, blockBytes: number): Fragment | string {
  const left = block.length - at
  if (left < headerBytes) return 'the file ends within a header'
  const stored = block.readUInt32LE(at)
  const length = block.readUInt16LE(at + 4)
  const type = block.readUInt8(at + 6)
  if (stored === 0 && length === 0 && type === 0) return 'there are zeros in place of a record'
  const end = at + headerBytes + length
  if (end > blockBytes) return 'a record is longer than its block'
  if (end > block.length) return 'the file ends within a record'
  if (maskedCrc(crc32c(block.subarray(at + 6, end))) !== stored) return 'the checksum of a record is wrong'
  if (type < full || type > last) return `a record has the unknown type ${String(type)}`
  return { type, data: block.subarray(at + headerBytes, end), end }
}

/** Where the fragment ends by its own account. */
function endOfFragment(block: Buffer, at: number, blockBytes: number): number {
  const header = at + headerBytes
  return header > block.length ? header : Math.min(header + block.readUInt16LE(at + 4), blockBytes)
}

/** A last record whose checksum is right with the bytes that are there has lost none: its length was changed. */
function isWholeButForItsLength(block: Buffer, at: number): boolean {
  return block.length - at >= headerBytes && maskedCrc(crc32c(block.subarray(at + 6))) === block.readUInt32LE(at)
}

/** Whether a page that belongs to these bytes reads as zeros, from its beginning or from theirs, to its end or the file's. */
function hasMissingPage(block: Buffer, at: number, end: number): boolean {
  const until = Math.min(Math.max(end, at + headerBytes), block.length)
  for (let page = at - (at % pageBytes); page < until; page += pageBytes) {
    const rest = block.subarray(Math.max(at, page), page + pageBytes)
    // Fewer may be a part of a checksum that is zero by itself.
    if ((page >= at || rest.length >= headerBytes) && isZero(rest)) return true
  }
  return false
}

/** Whether a page ends within a header, and what of the header stands on it is zeros. */
function beginsWithZeros(block: Buffer, at: number): boolean {
  const onPage = pageBytes - (at % pageBytes)
  return onPage < headerBytes && at + onPage < block.length && isZero(block.subarray(at, at + onPage))
}
