import { DiskBytes, unreadable } from './diskBytes.ts'

/** Sequence and count. */
export const batchHeadBytes = 12
const deletion = 0
const put = 1

export interface BatchHead {
  /** Of its first write; each write has the next. */
  readonly sequence: number
  readonly count: number
}

/** One write. `value` null: the key was deleted. */
export interface LevelEntry {
  readonly key: Buffer
  readonly value: Buffer | null
  /** Of two entries of a key the one with the larger number is the newer. */
  readonly sequence: number
}

/** The head of a record of a `.log` file; null when it has none. */
export function batchHead(record: Buffer): BatchHead | null {
  if (record.length < batchHeadBytes) return null
  const sequence = record.readUInt32LE(4) * 2 ** 32 + record.readUInt32LE(0)
  return Number.isSafeInteger(sequence) ? { sequence, count: record.readUInt32LE(8) } : null
}

/** @throws TidemarkError `corrupt-store`, with the reason only, for a record that is no batch of writes. */
export function* batchEntries(record: Buffer): Generator<LevelEntry> {
  const head = batchHead(record)
  if (head === null) throw unreadable('a batch has no head')
  const bytes = new DiskBytes(record, batchHeadBytes)
  for (let index = 0; index < head.count; index += 1) {
    const kind = bytes.byte()
    if (kind !== put && kind !== deletion) throw unreadable(`a batch holds the unknown kind of write ${String(kind)}`)
    const key = bytes.slice()
    yield { key, value: kind === put ? bytes.slice() : null, sequence: head.sequence + index }
  }
  if (bytes.left > 0) throw unreadable('a batch holds more than it counts')
}
