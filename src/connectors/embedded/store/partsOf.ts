/** Cuts a list into parts for one write or request each; a part ends with the item that reaches `maxBytes`. */
export function* partsOf<T>(
  items: Iterable<T>,
  maxBytes: number,
  bytesOf: (item: T) => number,
): Generator<readonly T[]> {
  let part: T[] = []
  let bytes = 0
  for (const item of items) {
    part.push(item)
    // What is around an item takes some as well.
    bytes += bytesOf(item) + 64
    if (bytes < maxBytes) continue
    yield part
    part = []
    bytes = 0
  }
  if (part.length > 0) yield part
}
