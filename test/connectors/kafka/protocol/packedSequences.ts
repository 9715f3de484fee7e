/** One step of an LZ77 decoder: bytes as they are, then what stands some bytes back. */
export interface Sequence {
  readonly literals: Buffer
  /** Null: the end, or literals only. */
  readonly match: { readonly distance: number; readonly count: number } | null
}

/** What sequences mean, byte by byte. */
export function unpacked(sequences: readonly Sequence[]): Buffer {
  const bytes: number[] = []
  for (const { literals, match } of sequences) {
    bytes.push(...literals)
    for (let left = match?.count ?? 0; left > 0; left -= 1)
      bytes.push(bytes[bytes.length - (match?.distance ?? 0)] ?? 0)
  }
  return Buffer.from(bytes)
}

/** An LZ4 block of these sequences; the last one must have no match. */
export function lz4Block(sequences: readonly Sequence[]): Buffer {
  const bytes: number[] = []
  const more = (length: number): void => {
    if (length < 15) return
    let left = length - 15
    for (; left >= 255; left -= 255) bytes.push(255)
    bytes.push(left)
  }
  for (const { literals, match } of sequences) {
    const count = match === null ? 0 : match.count - 4
    bytes.push((Math.min(15, literals.length) << 4) | Math.min(15, count))
    more(literals.length)
    bytes.push(...literals)
    if (match === null) continue
    bytes.push(match.distance & 0xff, match.distance >>> 8)
    more(count)
  }
  return Buffer.from(bytes)
}

export interface Lz4Frame {
  readonly checksums?: boolean
  readonly contentSize?: number
}

/** A frame of blocks; null instead of sequences: stored as they are. */
export function lz4Frame(
  blocks: readonly { readonly bytes: Buffer; readonly stored: boolean }[],
  options: Lz4Frame = {},
): Buffer {
  const { checksums = false, contentSize } = options
  const flags = 0x40 | (checksums ? 0x14 : 0) | (contentSize === undefined ? 0 : 0x08)
  const parts: Buffer[] = [Buffer.from([0x04, 0x22, 0x4d, 0x18, flags, 0x40])]
  if (contentSize !== undefined) {
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(contentSize))
    parts.push(size)
  }
  parts.push(Buffer.from([0]))
  for (const { bytes, stored } of blocks) {
    const size = Buffer.alloc(4)
    size.writeUInt32LE(stored ? bytes.length + 0x80000000 : bytes.length)
    parts.push(size, bytes)
    if (checksums) parts.push(Buffer.alloc(4))
  }
  parts.push(Buffer.alloc(4))
  if (checksums) parts.push(Buffer.alloc(4))
  return Buffer.concat(parts)
}

/** A snappy block of these sequences. */
export function snappyBlock(sequences: readonly Sequence[]): Buffer {
  const bytes: number[] = []
  let size = unpacked(sequences).length
  for (; size >= 0x80; size = Math.floor(size / 0x80)) bytes.push((size % 0x80) | 0x80)
  bytes.push(size)
  for (const { literals, match } of sequences) {
    if (literals.length > 0) {
      const length = literals.length - 1
      if (length < 60) bytes.push(length << 2)
      else bytes.push(61 << 2, length & 0xff, length >>> 8)
      bytes.push(...literals)
    }
    if (match === null) continue
    const { distance } = match
    for (let left = match.count; left > 0;) {
      const count = Math.min(64, left)
      left -= count
      if (count >= 4 && count <= 11 && distance < 2048) {
        bytes.push(1 | ((count - 4) << 2) | ((distance >>> 8) << 5), distance & 0xff)
      } else if (distance % 2 === 0) bytes.push(2 | ((count - 1) << 2), distance & 0xff, distance >>> 8)
      else bytes.push(3 | ((count - 1) << 2), distance & 0xff, distance >>> 8, 0, 0)
    }
  }
  return Buffer.from(bytes)
}

/** In the framing of Java's producers. */
export function javaSnappy(blocks: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])]
  for (const block of blocks) {
    const size = Buffer.alloc(4)
    size.writeUInt32BE(block.length)
    parts.push(size, block)
  }
  return Buffer.concat(parts)
}

/** Bytes as LZ4, without any match. */
export function lz4Of(bytes: Buffer): Buffer {
  return lz4Frame([{ bytes: lz4Block([{ literals: bytes, match: null }]), stored: false }])
}

/** Bytes as snappy, without any match. */
export function snappyOf(bytes: Buffer): Buffer {
  return snappyBlock([{ literals: bytes, match: null }])
}
