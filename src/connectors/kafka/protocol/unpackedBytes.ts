/** Below this a loop is faster than a call. */
const shortCopy = 32

/**
 * What a decoder of LZ77's kind has unpacked so far, which it copies from. Grows as it is written, never beyond its limit:
 * what a message claims about its size allocates nothing.
 */
export class UnpackedBytes {
  readonly #maxBytes: number
  #bytes: Buffer
  #length = 0

  constructor(expectedBytes: number, maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#bytes = Buffer.allocUnsafe(Math.min(expectedBytes, maxBytes))
  }

  get length(): number {
    return this.#length
  }

  /** A view, which ends with the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  append(from: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    from.copy(this.#bytes, this.#length, start, end)
    this.#length += end - start
  }

  /** Repeats what stands `distance` bytes back; where that overlaps what it writes, it repeats a pattern. */
  repeat(distance: number, count: number): void {
    if (distance < 1 || distance > this.#length) throw new Error('it repeats what is not there')
    this.#reserve(count)
    const bytes = this.#bytes
    const from = this.#length - distance
    if (count <= shortCopy) {
      for (let index = 0; index < count; index += 1) bytes[this.#length + index] = bytes[from + index] ?? 0
      this.#length += count
      return
    }
    // Each copy doubles the pattern that the next one can take.
    for (let left = count; left > 0;) {
      const part = Math.min(this.#length - from, left)
      bytes.copyWithin(this.#length, from, from + part)
      this.#length += part
      left -= part
    }
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed > this.#maxBytes) throw new Error(`it unpacks to more than ${String(this.#maxBytes)} bytes`)
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(needed, this.#bytes.length * 2)))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
