import { TidemarkError } from '../../../core/errors.ts'

/** Seven bits each, below the 53 of a number. */
const exactVarintBytes = 7

/** Reads what a broker answers, in Kafka's classic or its flexible encoding; see `RequestWriter`. Byte ranges are slices, not copies. */
export class ResponseReader {
  readonly #bytes: Buffer
  /** What is read, for the error: `the batch of orders 0@12`. */
  readonly #what: string
  readonly #flexible: boolean
  #at = 0

  constructor(bytes: Buffer, what: string, flexible = false) {
    this.#bytes = bytes
    this.#what = what
    this.#flexible = flexible
  }

  /** Where it reads next. */
  get at(): number {
    return this.#at
  }

  /** Reads on there. */
  moveTo(at: number): void {
    if (at < 0 || at > this.#bytes.length) throw this.corrupt('it ends too early')
    this.#at = at
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4))
  }

  /** Rounded beyond 2^53; offsets never are. */
  int64(): number {
    const at = this.#skip(8)
    return this.#bytes.readInt32BE(at) * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4)
  }

  bigInt64(): bigint {
    return this.#bytes.readBigInt64BE(this.#skip(8))
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  nullableString(): string | null {
    const length = this.#flexible ? this.#unsignedVarint() - 1 : this.int16()
    return length < 0 ? null : this.take(length).toString('utf8')
  }

  /** Empty for null. */
  bytes(): Buffer {
    return this.take(this.count())
  }

  /** How many bytes or elements come; 0 for null. */
  count(): number {
    return Math.max(0, this.#flexible ? this.#unsignedVarint() - 1 : this.int32())
  }

  /** Values that are no structures. Empty for null. */
  array<T>(read: () => T): T[] {
    const length = this.count()
    if (length > this.remaining) throw this.corrupt('a list is longer than the rest of it')
    const values: T[] = []
    for (let index = 0; index < length; index += 1) values.push(read())
    return values
  }

  /** As `array`, of structures. */
  structures<T>(read: () => T): T[] {
    return this.array(() => {
      const value = read()
      this.skipTags()
      return value
    })
  }

  take(length: number): Buffer {
    const at = this.#skip(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** A zigzag varint of up to 64 bits; rounded beyond 2^53. */
  varint(): number {
    const start = this.#at
    let value = 0
    let factor = 1
    for (let count = 0; count < exactVarintBytes; count += 1) {
      const byte = this.#bytes[this.#skip(1)] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      factor *= 0x80
    }
    this.#at = start
    return Number(this.#longVarint())
  }

  /** The sign is in the lowest bit, which a number would round away. */
  #longVarint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#skip(1)] ?? 0
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
    }
    throw this.corrupt('a number does not end')
  }

  /** As Kafka prints it, 22 characters in base64url; null for zeros, which stand for none. */
  topicId(): string | null {
    const bytes = this.take(16)
    return bytes.every((byte) => byte === 0) ? null : bytes.toString('base64url')
  }

  /** At the end of a header, and of a structure; of no use here. */
  skipTags(): void {
    for (let left = this.#flexible ? this.#unsignedVarint() : 0; left > 0; left -= 1) {
      this.#unsignedVarint()
      this.take(this.#unsignedVarint())
    }
  }

  #unsignedVarint(): number {
    let value = 0
    let factor = 1
    for (let count = 0; count < 5; count += 1) {
      const byte = this.int8() & 0xff
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 0x80
    }
    throw this.corrupt('a number does not end')
  }

  corrupt(problem: string): TidemarkError {
    return new TidemarkError('broken-invariant', `${this.#what} cannot be read: ${problem}`)
  }

  #skip(length: number): number {
    const at = this.#at
    if (length < 0 || length > this.#bytes.length - at) throw this.corrupt('it ends too early')
    this.#at = at + length
    return at
  }
}
