import type { Header } from '../../../core/record.ts'
import type { ResponseReader } from './responseReader.ts'

const noHeaders: readonly Header[] = []

/** How many headers a record has, as far as its bytes can hold them. */
export function headerCount(record: ResponseReader): number {
  const count = record.varint()
  // Each has two lengths.
  if (count > record.remaining / 2) throw new Error('a record has more headers than bytes')
  return Math.max(0, count)
}

export function headersOf(record: ResponseReader, count: number): readonly Header[] {
  if (count === 0) return noHeaders
  const headers: Header[] = []
  for (let index = 0; index < count; index += 1) {
    const name = record.take(record.varint()).toString('utf8')
    headers.push([name, copied(record)])
  }
  return headers
}

/** Bytes with their length before them: a part of what is read; null where there are none. */
export function sliced(record: ResponseReader): Buffer | null {
  const length = record.varint()
  return length < 0 ? null : record.take(length)
}

/** The same, in memory of their own. */
export function copied(record: ResponseReader): Buffer | null {
  const bytes = sliced(record)
  return bytes === null ? null : Buffer.from(bytes)
}

/** The same, copied only where it would keep much else alive; for bytes that nothing writes to any more. */
export function owned(reader: ResponseReader): Buffer | null {
  const bytes = sliced(reader)
  return bytes === null ? null : ownMemory(bytes)
}

/** The same bytes without other memory that they would keep alive: copied, but where they are nearly all of it. */
export function ownMemory(bytes: Buffer): Buffer {
  return bytes.length * 4 >= bytes.buffer.byteLength * 3 ? bytes : Buffer.from(bytes)
}
