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
