const frameMagic = 0xfd2fb528
const singleSegmentBit = 0x20
/** Bytes of the field, by its flag. */
const dictionaryIdBytes = [0, 1, 2, 4] as const
const leastWindowLog = 10
/** What zstd takes by itself; it refuses more. */
const maxWindowBytes = 128 * 1024 * 1024

/** What the first frame says it unpacks to, null where it does not, and the window it needs (RFC 8878, 3.1.1.1). */
export function zstdFrame(bytes: Buffer): { readonly bytes: number | null; readonly windowBytes: number } {
  const unknown = { bytes: null, windowBytes: 0 }
  // The longest header.
  const header = bytes.subarray(0, 18)
  if (header.length < 6 || header.readUInt32LE(0) !== frameMagic) return unknown
  const flags = header.readUInt8(4)
  const isSingleSegment = (flags & singleSegmentBit) !== 0
  const sizeFlag = flags >>> 6
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + (dictionaryIdBytes[flags & 3] ?? 0)
  const sizeBytes = sizeFlag === 0 ? Number(isSingleSegment) : 1 << sizeFlag
  if (sizeAt + sizeBytes > header.length) return unknown
  const size = sizeBytes === 0 ? null : contentSize(header, sizeAt, sizeBytes)
  const window = isSingleSegment ? (size ?? 0) : windowOf(header.readUInt8(5))
  return { bytes: size, windowBytes: Math.min(maxWindowBytes, window) }
}

function contentSize(header: Buffer, at: number, width: number): number {
  if (width === 8) return Number(header.readBigUInt64LE(at))
  // Two bytes count from 256 on.
  return header.readUIntLE(at, width) + (width === 2 ? 256 : 0)
}

function windowOf(descriptor: number): number {
  const base = 2 ** (leastWindowLog + (descriptor >>> 3))
  return base + (base / 8) * (descriptor & 7)
}
