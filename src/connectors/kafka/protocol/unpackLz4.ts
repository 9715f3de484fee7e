import { UnpackedBytes } from '../../../codecs/snappy.ts'

const frameMagic = 0x184d2204
/** Sixteen of them, which say nothing to us. */
const skippableMagic = 0x184d2a50
const currentVersion = 1
const blockChecksumBit = 0x10
const contentSizeBit = 0x08
const contentChecksumBit = 0x04
const dictionaryBit = 0x01
const storedBit = 0x80000000
const leastMatch = 4
const lengthContinues = 15

/** What a match reaches back to, at most. */
const windowBytes = 64 * 1024
/** What a block unpacks to, at most. */
const maxBlockBytes = 4 * 1024 * 1024

/**
 * Unpacks LZ4 frames (github.com/lz4/lz4, lz4_Frame_format.md), blocks linked or not, in pieces of about `pieceBytes` or a
 * block, the last of which is returned. Each stands until the next one is asked for. Its checksums are not looked at: the
 * batch has one of its own. Throws an `Error` for what is no LZ4.
 */
export function* unpackLz4(bytes: Buffer, pieceBytes: number): Generator<Buffer, Buffer> {
  const output = new UnpackedBytes(Math.min(bytes.length * 4, pieceBytes), windowBytes, pieceBytes + maxBlockBytes)
  let at = 0
  while (at < bytes.length) {
    const magic = bytes.readUInt32LE(at)
    if ((magic & ~0xf) >>> 0 === skippableMagic) at += 8 + bytes.readUInt32LE(at + 4)
    else at = yield* unpackFrame(bytes, at, { output, pieceBytes })
  }
  return output.take()
}

function* unpackFrame(
  bytes: Buffer,
  start: number,
  { output, pieceBytes }: { readonly output: UnpackedBytes; readonly pieceBytes: number },
): Generator<Buffer, number> {
  if (bytes.readUInt32LE(start) !== frameMagic) throw new Error('it is no LZ4 frame')
  const flags = bytes.readUInt8(start + 4)
  if (flags >>> 6 !== currentVersion) throw new Error(`it has version ${String(flags >>> 6)} of the LZ4 frame`)
  if ((flags & dictionaryBit) !== 0) throw new Error('it needs a dictionary')
  // Magic, flags, block size, the content's size where there is one, and the header's checksum.
  let at = start + 6 + ((flags & contentSizeBit) === 0 ? 0 : 8) + 1
  for (;;) {
    const size = bytes.readUInt32LE(at)
    at += 4
    if (size === 0) return at + ((flags & contentChecksumBit) === 0 ? 0 : 4)
    const isStored = (size & storedBit) !== 0
    const end = at + (isStored ? size - storedBit : size)
    if (end > bytes.length) throw new Error('a block ends too early')
    if (isStored) output.append(bytes, at, end)
    else unpackBlock(bytes, at, end, output)
    at = end + ((flags & blockChecksumBit) === 0 ? 0 : 4)
    if (output.pending >= pieceBytes) yield output.take()
  }
}

function unpackBlock(bytes: Buffer, start: number, end: number, output: UnpackedBytes): void {
  let at = start
  const byte = (): number => {
    if (at >= end) throw new Error('a block ends too early')
    const value = bytes[at] ?? 0
    at += 1
    return value
  }
  const lengthOf = (nibble: number): number => {
    let length = nibble
    if (nibble === lengthContinues) {
      let more = byte()
      for (; more === 255; more = byte()) length += more
      length += more
    }
    return length
  }
  for (;;) {
    const token = byte()
    const literals = lengthOf(token >>> 4)
    if (literals > end - at) throw new Error('a block ends too early')
    output.append(bytes, at, at + literals)
    at += literals
    // The last sequence has literals only.
    if (at === end) return
    const distance = byte() + byte() * 0x100
    output.repeat(distance, lengthOf(token & 0xf) + leastMatch)
  }
}
