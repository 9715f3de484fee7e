import type { TidemarkError } from '../../../core/errors.ts'
import { damagedStore } from '../damage/damagedStore.ts'

/** Below this a number can be taken apart by 32-bit operations. */
const wordLimit = 0x80000000

/** Appends numbers and bytes to a buffer that grows. What it writes, `ByteReader` reads. */
export class ByteWriter {
  #bytes: Buffer
  #length = 0

  constructor(initialBytes = 1_024) {
    this.#bytes = Buffer.allocUnsafe(initialBytes)
  }

  get length(): number {
    return this.#length
  }

  /** The bytes so far; valid until the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  reset(): void {
    this.#length = 0
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte, lowest first. */
  writeVarint(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest >= wordLimit) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  writeDouble(value: number): void {
    this.#reserve(8)
    this.#length = this.#bytes.writeDoubleBE(value, this.#length)
  }

  /** Null differs from no bytes. */
  writeNullable(bytes: Buffer | null): void {
    if (bytes === null) {
      this.writeVarint(0)
      return
    }
    this.writeVarint(bytes.length + 1)
    this.writeBytes(bytes)
  }

  writeText(text: string): void {
    const bytes = Buffer.from(text)
    this.writeVarint(bytes.length)
    this.writeBytes(bytes)
  }

  writeBytes(bytes: Buffer): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Reads what `ByteWriter` wrote, and refuses everything else with `corrupt-store`. Byte ranges are slices, not copies. */
export class ByteReader {
  readonly #bytes: Buffer
  /** What is read, for the error: `the batch of orders 0@12`. */
  readonly #what: string
  #at: number

  constructor(bytes: Buffer, what: string, at = 0) {
    this.#bytes = bytes
    this.#what = what
    this.#at = at
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  readVarint(): number {
    const bytes = this.#bytes
    let byte = this.#byte()
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let factor = 0x80
    do {
      if (factor > Number.MAX_SAFE_INTEGER || this.#at >= bytes.length) throw this.corrupt('a number does not end')
      byte = this.#byte()
      value += (byte & 0x7f) * factor
      factor *= 0x80
    } while (byte >= 0x80)
    if (value > Number.MAX_SAFE_INTEGER) throw this.corrupt('a number is too large')
    return value
  }

  readDouble(): number {
    const at = this.#at
    this.#skip(8)
    return this.#bytes.readDoubleBE(at)
  }

  readNullable(): Buffer | null {
    const length = this.readVarint()
    return length === 0 ? null : this.readBytes(length - 1)
  }

  readText(): string {
    const length = this.readVarint()
    const at = this.#at
    this.#skip(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  readBytes(length: number): Buffer {
    const at = this.#at
    this.#skip(length)
    return this.#bytes.subarray(at, at + length)
  }

  corrupt(problem: string): TidemarkError {
    return damagedStore(`${this.#what} is damaged: ${problem}`)
  }

  #byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw this.corrupt('it ends too early')
    this.#at += 1
    return byte
  }

  #skip(length: number): void {
    if (length > this.#bytes.length - this.#at) throw this.corrupt('it ends too early')
    this.#at += length
  }
}
