/**
 * Writes a request of Kafka's protocol, big-endian. In its flexible encoding lengths are varints and structures end with tagged
 * fields; in its classic one they are fixed, and there are none.
 */
export class RequestWriter {
  #bytes = Buffer.allocUnsafe(256)
  #length = 0
  readonly #flexible: boolean

  constructor(flexible = false) {
    this.#flexible = flexible
  }

  /** What has been written; later writes do not change it. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  int8(value: number): this {
    this.#byte(value & 0xff)
    return this
  }

  int16(value: number): this {
    const at = this.#room(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#room(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: number | bigint): this {
    const at = this.#room(8)
    this.#bytes.writeBigInt64BE(BigInt(value), at)
    return this
  }

  /** Null only where the protocol has a nullable string. */
  string(value: string | null): this {
    const length = value === null ? -1 : Buffer.byteLength(value)
    if (this.#flexible) this.#varint(length + 1)
    else this.int16(length)
    if (value === null) return this
    const at = this.#room(length)
    this.#bytes.write(value, at)
    return this
  }

  bytes(value: Buffer): this {
    this.#count(value.length)
    const at = this.#room(value.length)
    value.copy(this.#bytes, at)
    return this
  }

  /** Values that are no structures. Null only where the protocol has a nullable array. */
  array<T>(values: readonly T[] | null, write: (value: T) => void): this {
    this.#count(values?.length ?? -1)
    for (const value of values ?? []) write(value)
    return this
  }

  /** As `array`, of structures. */
  structures<T>(values: readonly T[] | null, write: (value: T) => void): this {
    return this.array(values, (value) => {
      write(value)
      this.noTags()
    })
  }

  /** Null is written as zeros. */
  topicId(id: string | null): this {
    const bytes = id === null ? Buffer.alloc(16) : Buffer.from(id, 'base64url')
    const at = this.#room(16)
    bytes.copy(this.#bytes, at)
    return this
  }

  /** At the end of a header, and of a request. */
  noTags(): this {
    if (this.#flexible) this.#varint(0)
    return this
  }

  #count(length: number): void {
    if (this.#flexible) this.#varint(length + 1)
    else this.int32(length)
  }

  /** Unsigned, seven bits a byte. */
  #varint(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#byte((rest % 0x80) | 0x80)
    this.#byte(rest)
  }

  #byte(value: number): void {
    const at = this.#room(1)
    this.#bytes[at] = value
  }

  /** Where so many bytes go. `#bytes` may be another buffer afterwards. */
  #room(length: number): number {
    const at = this.#length
    this.#length += length
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, at)
      this.#bytes = larger
    }
    return at
  }
}
