/** A number of variable length and the position after it. */
export interface ReadVint {
  readonly value: bigint
  readonly end: number
}

/**
 * An unsigned number in Cassandra's variable-length form: as many bytes follow the first one as it has leading one bits,
 * the rest is the number, most significant byte first.
 */
export function encodeUnsignedVint(value: bigint): Buffer {
  let extra = 0
  while (extra < 8 && value >> BigInt(7 * (extra + 1)) > 0n) extra += 1
  const bytes = Buffer.alloc(extra + 1)
  let rest = value
  for (let at = extra; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  bytes[0] = (bytes[0] ?? 0) | (0xff & ~(0xff >> extra))
  return bytes
}

/** Throws RangeError when the bytes end before the number does. */
export function decodeUnsignedVint(bytes: Buffer, start: number): ReadVint {
  const first = bytes.readUInt8(start)
  const extra = Math.clz32(~(first << 24))
  let value = BigInt(extra >= 8 ? 0 : first & (0xff >> extra))
  for (let at = 1; at <= extra; at += 1) value = (value << 8n) | BigInt(bytes.readUInt8(start + at))
  return { value, end: start + extra + 1 }
}

/** A signed number of 64 bits: zigzag, so that small ones of either sign are short. */
export function encodeSignedVint(value: bigint): Buffer {
  return encodeUnsignedVint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))
}

export function decodeSignedVint(bytes: Buffer, start: number): ReadVint {
  const { value, end } = decodeUnsignedVint(bytes, start)
  return { value: (value >> 1n) ^ -(value & 1n), end }
}
