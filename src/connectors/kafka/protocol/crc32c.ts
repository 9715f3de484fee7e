const polynomial = 0x82f63b78

/** Four tables, so that four bytes are taken at a time. */
const tables = makeTables()

/** The CRC-32C (Castagnoli) of a record batch, as an unsigned number; node:zlib has only the other CRC-32. */
export function crc32c(bytes: Buffer): number {
  const [t0, t1, t2, t3] = tables
  let crc = 0xffffffff
  let at = 0
  const whole = bytes.length & ~3
  while (at < whole) {
    crc ^= (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
    crc = (t3[crc & 0xff] ?? 0) ^ (t2[(crc >>> 8) & 0xff] ?? 0) ^ (t1[(crc >>> 16) & 0xff] ?? 0) ^ (t0[crc >>> 24] ?? 0)
    at += 4
  }
  while (at < bytes.length) {
    crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0)
    at += 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

function makeTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const first = new Int32Array(256)
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    first[byte] = crc
  }
  const next = (previous: Int32Array): Int32Array => previous.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] ?? 0))
  const second = next(first)
  const third = next(second)
  return [first, second, third, next(third)]
}
