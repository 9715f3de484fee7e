import { UnpackedBytes } from './unpackedBytes.ts'

/** Begins what Java's producers write: blocks, each behind its length. Others write one block and nothing else. */
const javaMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
/** The magic and two versions. */
const javaHeaderBytes = 16
/** No element of a block unpacks to more than this for each of its bytes. */
const mostUnpackedOfByte = 22

/**
 * Unpacks snappy (github.com/google/snappy, format_description.txt), in the framing of Java's producers or without one.
 * Throws an `Error` for what is no snappy, and beyond `maxBytes`.
 */
export function unpackSnappy(bytes: Buffer, maxBytes: number): Buffer {
  const output = new UnpackedBytes(bytes.length * 4, maxBytes)
  if (!isJavaHeader(bytes, 0)) {
    unpackBlock(bytes, 0, bytes.length, output)
    return output.written
  }
  for (let at = 0; at < bytes.length;) {
    if (isJavaHeader(bytes, at)) at += javaHeaderBytes
    else {
      const start = at + 4
      const end = start + bytes.readUInt32BE(at)
      if (end > bytes.length) throw new Error('a block ends too early')
      unpackBlock(bytes, start, end, output)
      at = end
    }
  }
  return output.written
}

function isJavaHeader(bytes: Buffer, at: number): boolean {
  return bytes.length - at >= javaHeaderBytes && javaMagic.equals(bytes.subarray(at, at + javaMagic.length))
}

function unpackBlock(bytes: Buffer, start: number, end: number, output: UnpackedBytes): void {
  let at = start
  /** A number of `width` bytes, the lowest first. */
  const number = (width: number): number => {
    if (at + width > end) throw new Error('a block ends too early')
    const value = bytes.readUIntLE(at, width)
    at += width
    return value
  }
  const size = unpackedSize(number)
  if (size > (end - at) * mostUnpackedOfByte) throw new Error('it claims to unpack to more than it can')
  // Its matches reach back to its own beginning at most.
  const origin = output.length
  while (at < end) {
    const tag = number(1)
    const kind = tag & 3
    if (kind === 0) {
      const short = tag >>> 2
      const literals = (short < 60 ? short : number(short - 59)) + 1
      if (literals > end - at) throw new Error('a block ends too early')
      output.append(bytes, at, at + literals)
      at += literals
    } else {
      const count = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
      const distance = kind === 1 ? (tag >>> 5) * 0x100 + number(1) : number(kind === 2 ? 2 : 4)
      if (distance > output.length - origin) throw new Error('it repeats what is not there')
      output.repeat(distance, count)
    }
  }
  if (output.length - origin !== size) throw new Error('it does not unpack to the size it claims')
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
