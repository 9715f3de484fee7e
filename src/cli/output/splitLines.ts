import { TidemarkError } from '../../core/errors.ts'

const newline = 0x0a

/**
 * Splits a byte stream at newlines, and yields the lines that each chunk ended, without their newline. A final newline ends
 * the last line and begins none, so `a\n` and `a` are one line, and `a\n\n` is two, the second one empty.
 *
 * Holds one chunk and one line. A line longer than `maxLineBytes` is refused with `invalid-input`, so that a stream without
 * newlines cannot fill the memory. Lines are slices of their chunk: copy what is kept.
 */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  maxLineBytes: number,
): AsyncGenerator<readonly Buffer[], void, undefined> {
  /** Pieces of the line that is not ended yet; joined once, at its end. */
  let pieces: Buffer[] = []
  let pendingBytes = 0
  let count = 0
  const checkSize = (bytes: number): void => {
    if (bytes <= maxLineBytes) return
    const line = count + 1
    throw new TidemarkError('invalid-input', `Line ${String(line)} is longer than ${String(maxLineBytes)} bytes.`, {
      details: { line },
    })
  }
  for await (const chunk of chunks) {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const last = chunk.subarray(start, end)
      checkSize(pendingBytes + last.length)
      lines.push(pieces.length === 0 ? last : Buffer.concat([...pieces, last]))
      count += 1
      pieces = []
      pendingBytes = 0
      start = end + 1
    }
    if (start < chunk.length) {
      const rest = chunk.subarray(start)
      pieces.push(rest)
      pendingBytes += rest.length
      checkSize(pendingBytes)
    }
    if (lines.length > 0) yield lines
  }
  if (pieces.length > 0) yield [Buffer.concat(pieces)]
}
