/** Writes a request in Kafka's classic (not "flexible") encoding, big-endian. */
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
