import { UnpackedBytes } from './unpackedBytes.ts'

/** Begins what Java's producers write: blocks, each behind its length. Others write one block and nothing else. */
const javaMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
/** The magic and two versions. */
const javaHeaderBytes = 16
/** No element of a block unpacks to more than this for each of its bytes. */
const mostUnpackedOfByte = 22

/**
 * What a match reaches back to here, at most. The format allows the whole block; every known writer cuts its input into
 * fragments of 64 KiB first, which no match leaves.
 */
const windowBytes = 1024 * 1024
/** An element of the longest literals, which are taken in parts, and of a match. */
const maxElementBytes = 64 * 1024 + 64

/**
 * Unpacks snappy (github.com/google/snappy, format_description.txt), in the framing of Java's producers or without one, in
 * pieces of about `pieceBytes`, the last of which is returned. Each stands until the next one is asked for. Throws an `Error`
 * for what is no snappy.
 */
export function* unpackSnappy(bytes: Buffer, pieceBytes: number): Generator<Buffer, Buffer> {
  const output = new UnpackedBytes(Math.min(bytes.length * 4, pieceBytes), windowBytes, pieceBytes + maxElementBytes)
  const whole = { output, pieceBytes }
  if (!isJavaHeader(bytes, 0)) {
    yield* unpackBlock(bytes, 0, bytes.length, whole)
    return output.take()
  }
  for (let at = 0; at < bytes.length;) {
    if (isJavaHeader(bytes, at)) at += javaHeaderBytes
    else {
      const start = at + 4
      const end = start + bytes.readUInt32BE(at)
      if (end > bytes.length) throw new Error('a block ends too early')
      yield* unpackBlock(bytes, start, end, whole)
      at = end
    }
  }
  return output.take()
}

function isJavaHeader(bytes: Buffer, at: number): boolean {
  return bytes.length - at >= javaHeaderBytes && javaMagic.equals(bytes.subarray(at, at + javaMagic.length))
}

function* unpackBlock(
  bytes: Buffer,
  start: number,
  end: number,
  { output, pieceBytes }: { readonly output: UnpackedBytes; readonly pieceBytes: number },
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
