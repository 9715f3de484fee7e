/** Below this a loop is faster than a call. */
const shortCopy = 32

/**
 * What a decoder of LZ77's kind has unpacked, which it copies from. What was taken goes, but for the window that copies reach
 * back to: what a message claims about its size allocates nothing, and what it unpacks to never stands here whole.
 */
export class UnpackedBytes {
  readonly #windowBytes: number
  readonly #maxPendingBytes: number
  #bytes: Buffer
  /** Where what was not taken yet begins. */
  #from = 0
  #end = 0
  /** Bytes that were unpacked and are gone. */
  #gone = 0

  /** `maxPendingBytes`: beyond what was taken, at most. */
  constructor(expectedBytes: number, windowBytes: number, maxPendingBytes: number) {
    this.#windowBytes = windowBytes
    this.#maxPendingBytes = maxPendingBytes
    this.#bytes = Buffer.allocUnsafe(Math.min(expectedBytes, maxPendingBytes))
  }

  /** Unpacked from the beginning on. */
  get length(): number {
    return this.#gone + this.#end
  }

  /** Unpacked and not taken. */
  get pending(): number {
    return this.#end - this.#from
  }

  /** A view of what was not taken yet, which ends with the next write. */
  take(): Buffer {
    const taken = this.#bytes.subarray(this.#from, this.#end)
    this.#from = this.#end
    return taken
  }

  append(from: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    from.copy(this.#bytes, this.#end, start, end)
    this.#end += end - start
  }

  /** Repeats what stands `distance` bytes back; where that overlaps what it writes, it repeats a pattern. */
  repeat(distance: number, count: number): void {
    if (distance < 1 || distance > this.#end) throw new Error('it repeats what is not there, or too far back')
    this.#reserve(count)
    const bytes = this.#bytes
    const from = this.#end - distance
    if (count <= shortCopy) {
      for (let index = 0; index < count; index += 1) bytes[this.#end + index] = bytes[from + index] ?? 0
      this.#end += count
      return
    }
    // Each copy doubles the pattern that the next one can take.
    for (let left = count; left > 0;) {
      const part = Math.min(this.#end - from, left)
      bytes.copyWithin(this.#end, from, from + part)
      this.#end += part
      left -= part
    }
  }

  #reserve(count: number): void {
    if (this.pending + count > this.#maxPendingBytes) {
      throw new Error(`a block unpacks to more than ${String(this.#maxPendingBytes)} bytes`)
    }
    if (this.#end + count <= this.#bytes.length) return
    const kept = Math.max(0, Math.min(this.#from, this.#end - this.#windowBytes))
    const needed = this.#end - kept + count
    const room =
      needed <= this.#bytes.length ? this.#bytes : Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(room, 0, kept, this.#end)
    this.#bytes = room
    this.#from -= kept
    this.#end -= kept
    this.#gone += kept
  }
}
