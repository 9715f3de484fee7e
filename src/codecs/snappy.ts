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

/** No element of a block unpacks to more than this for each of its bytes. */
const mostUnpackedOfByte = 22

/**
 * Unpacks one block of snappy (github.com/google/snappy, format_description.txt) behind what `output` holds, and gives what is
 * pending whenever that is so many bytes. Throws an `Error` for what is no snappy.
 */
export function* unpackSnappyBlock(
  bytes: Buffer,
  { start, end }: { readonly start: number; readonly end: number },
  output: UnpackedBytes,
  pieceBytes: number,
): Generator<Buffer, void> {
  const elements = new Elements(bytes, start, end)
  const size = unpackedSize((width) => elements.number(width))
  if (size > (end - elements.at) * mostUnpackedOfByte) throw new Error('it claims to unpack to more than it can')
  // Its matches reach back to its own beginning at most.
  const origin = output.length
  while (!elements.done) {
    elements.unpack(output, origin, pieceBytes)
    if (output.length - origin > size) break
    if (output.pending >= pieceBytes) yield output.take()
  }
  if (output.length - origin !== size) throw new Error('it does not unpack to the size it claims')
}

/** The elements of a block: literals and matches. */
class Elements {
  readonly #bytes: Buffer
  readonly #end: number
  at: number
  /** What is left of an element's literals. */
  #literals = 0

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.at = start
    this.#end = end
  }

  get done(): boolean {
    return this.at >= this.#end
  }

  /** A number of `width` bytes, the lowest first. */
  number(width: number): number {
    if (this.at + width > this.#end) throw new Error('a block ends too early')
    const value = this.#bytes.readUIntLE(this.at, width)
    this.at += width
    return value
  }

  /** Until `pieceBytes` are pending, or the block ends. */
  unpack(output: UnpackedBytes, origin: number, pieceBytes: number): void {
    while (this.at < this.#end && output.pending < pieceBytes) {
      if (this.#literals > 0) {
        const part = Math.min(this.#literals, 64 * 1024)
        output.append(this.#bytes, this.at, this.at + part)
        this.at += part
        this.#literals -= part
        continue
      }
      const tag = this.number(1)
      const kind = tag & 3
      if (kind === 0) {
        const short = tag >>> 2
        const literals = (short < 60 ? short : this.number(short - 59)) + 1
        if (literals > this.#end - this.at) throw new Error('a block ends too early')
        this.#literals = literals
      } else {
        const count = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
        const distance = kind === 1 ? (tag >>> 5) * 0x100 + this.number(1) : this.number(kind === 2 ? 2 : 4)
        if (distance > output.length - origin) throw new Error('it repeats what is not there')
        output.repeat(distance, count)
      }
    }
  }
}

function unpackedSize(number: (width: number) => number): number {
  let size = 0
  for (let factor = 1; factor <= 0x80 ** 4; factor *= 0x80) {
    const byte = number(1)
    size += (byte & 0x7f) * factor
    if (byte < 0x80) return size
  }
  throw new Error('its size does not end')
}
