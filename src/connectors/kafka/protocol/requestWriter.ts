/** Writes a request of Kafka's protocol, big-endian: in its classic encoding, and from `varint` on in its flexible one. */
export class RequestWriter {
  #bytes = Buffer.allocUnsafe(256)
  #length = 0

  /** What has been written; later writes do not change it. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  int8(value: number): this {
    const at = this.#room(1)
    this.#bytes.writeInt8(value, at)
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
    if (value === null) return this.int16(-1)
    const length = Buffer.byteLength(value)
    this.int16(length)
    const at = this.#room(length)
    this.#bytes.write(value, at)
    return this
  }

  bytes(value: Buffer): this {
    this.int32(value.length)
    const at = this.#room(value.length)
    value.copy(this.#bytes, at)
    return this
  }

  array<T>(values: readonly T[], write: (value: T) => void): this {
    this.int32(values.length)
    for (const value of values) write(value)
    return this
  }

  /** Unsigned, seven bits a byte. */
  varint(value: number): this {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes.writeUInt8((rest % 0x80) | 0x80, this.#room(1))
    this.#bytes.writeUInt8(rest, this.#room(1))
    return this
  }

  /** Null only where the protocol has a nullable string. */
  compactString(value: string | null): this {
    if (value === null) return this.varint(0)
    const length = Buffer.byteLength(value)
    this.varint(length + 1)
    this.#bytes.write(value, this.#room(length))
    return this
  }

  /** Null only where the protocol has a nullable array. */
  compactArray<T>(values: readonly T[] | null, write: (value: T) => void): this {
    this.varint(values === null ? 0 : values.length + 1)
    for (const value of values ?? []) write(value)
    return this
  }

  /** Null is written as zeros. */
  topicId(id: string | null): this {
    const bytes = id === null ? Buffer.alloc(16) : Buffer.from(id, 'base64url')
    bytes.copy(this.#bytes, this.#room(16))
    return this
  }

  /** At the end of every structure of the flexible encoding. */
  noTags(): this {
    return this.varint(0)
  }

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
