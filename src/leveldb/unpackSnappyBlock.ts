import { DiskBytes, unreadable } from './diskBytes.ts'

/** No element of a block unpacks to more than this for each of its bytes. */
const mostUnpackedOfByte = 22

/**
 * Unpacks a block of a table that LevelDB has compressed (github.com/google/snappy, format_description.txt).
 *
 * @throws TidemarkError `corrupt-store`, with the reason only, for what is no snappy or unpacks to more than `maxBytes`.
 */
export function unpackSnappyBlock(packed: Buffer, maxBytes: number): Buffer {
  const bytes = new DiskBytes(packed)
  const size = bytes.varint()
  if (size > bytes.left * mostUnpackedOfByte) throw unreadable('a block claims to unpack to more than it can')
  if (size > maxBytes) throw unreadable(`a block unpacks to more than ${String(maxBytes)} bytes`)
  const output = Buffer.allocUnsafe(size)
  let length = 0
  const room = (count: number): void => {
    if (count > size - length) throw unreadable('a block unpacks to more than it claims')
  }
  while (bytes.left > 0) {
    const tag = bytes.byte()
    const kind = tag & 3
    if (kind === 0) {
      const short = tag >>> 2
      const literals = (short < 60 ? short : number(bytes, short - 59)) + 1
      room(literals)
      bytes.take(literals).copy(output, length)
      length += literals
    } else {
      const count = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
      const distance = kind === 1 ? (tag >>> 5) * 0x100 + bytes.byte() : number(bytes, kind === 2 ? 2 : 4)
      if (distance < 1 || distance > length) throw unreadable('a block repeats what is not there')
      room(count)
      // Byte by byte, because what is repeated may overlap what is written.
      for (let index = 0; index < count; index += 1) output[length + index] = output[length + index - distance] ?? 0
      length += count
    }
  }
  if (length !== size) throw unreadable('a block does not unpack to the size it claims')
  return output
}

/** Of `width` bytes, the lowest first. */
function number(bytes: DiskBytes, width: number): number {
  return bytes.take(width).readUIntLE(0, width)
}
