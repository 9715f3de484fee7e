import type { TidemarkError } from '../../../core/errors.ts'
import { damagedStore } from '../damage/damagedStore.ts'

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
