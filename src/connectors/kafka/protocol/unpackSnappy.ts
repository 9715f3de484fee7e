import { UnpackedBytes, unpackSnappyBlock } from '../../../codecs/snappy.ts'

/** Begins what Java's producers write: blocks, each behind its length. Others write one block and nothing else. */
const javaMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
/** The magic and two versions. */
const javaHeaderBytes = 16

/**
 * What a match reaches back to here, at most. The format allows the whole block; every known writer cuts its input into
 * fragments of 64 KiB first, which no match leaves.
 */
const windowBytes = 1024 * 1024
/** An element of the longest literals, which are taken in parts, and of a match. */
const maxElementBytes = 64 * 1024 + 64

/**
 * Unpacks snappy, in the framing of Java's producers or without one, in pieces of about `pieceBytes`, the last of which is
 * returned. Each stands until the next one is asked for. Throws an `Error` for what is no snappy.
 */
export function* unpackSnappy(bytes: Buffer, pieceBytes: number): Generator<Buffer, Buffer> {
  const output = new UnpackedBytes(Math.min(bytes.length * 4, pieceBytes), windowBytes, pieceBytes + maxElementBytes)
  if (!isJavaHeader(bytes, 0)) {
    yield* unpackSnappyBlock(bytes, { start: 0, end: bytes.length }, output, pieceBytes)
    return output.take()
  }
  for (let at = 0; at < bytes.length;) {
    if (isJavaHeader(bytes, at)) at += javaHeaderBytes
    else {
      const start = at + 4
      const end = start + bytes.readUInt32BE(at)
      if (end > bytes.length) throw new Error('a block ends too early')
      yield* unpackSnappyBlock(bytes, { start, end }, output, pieceBytes)
      at = end
    }
  }
  return output.take()
}

function isJavaHeader(bytes: Buffer, at: number): boolean {
  return bytes.length - at >= javaHeaderBytes && javaMagic.equals(bytes.subarray(at, at + javaMagic.length))
}
