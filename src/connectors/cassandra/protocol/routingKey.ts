/**
 * The bytes that a partition is placed by, from the first `columns` values: of one column its value, of several each value
 * between its length and a zero byte.
 */
export function routingKey(values: readonly Buffer[], columns: number): Buffer {
  const [only] = values
  if (only !== undefined && columns === 1) return only
  const parts = values.slice(0, columns)
  const bytes = Buffer.alloc(parts.reduce((sum, part) => sum + part.length + 3, 0))
  let at = 0
  for (const part of parts) {
    at = bytes.writeUInt16BE(part.length, at)
    at += part.copy(bytes, at) + 1
  }
  return bytes
}
