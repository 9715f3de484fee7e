import { DiskBytes, unreadable } from './diskBytes.ts'

/** A live table, as the MANIFEST knows it. */
export interface LiveTable {
  readonly number: number
  readonly level: number
  readonly bytes: number
  /** First and last key with their sequence and kind, as they stand in the table. */
  readonly smallest: Buffer
  readonly largest: Buffer
}

/** What the MANIFEST says after all of its edits. */
export interface LevelVersion {
  readonly tables: ReadonlyMap<number, LiveTable>
  /** Logs from this number on are live; 0: none was ever named. */
  readonly logNumber: number
  readonly previousLogNumber: number
  readonly lastSequence: number
}

const comparator = 'leveldb.BytewiseComparator'
const levels = 7
/** Behind each key of a table: its sequence and kind. */
export const internalKeyBytes = 8

/**
 * Takes the edits of a MANIFEST one after the other, as LevelDB does at open. `take` throws TidemarkError `corrupt-store`, with the reason only.
 */
export class VersionEdits {
  readonly #tables = new Map<number, LiveTable>()
  readonly #numbers = new Map<number, number>()
  #named = false

  take(record: Buffer): void {
    const bytes = new DiskBytes(record)
    const added: LiveTable[] = []
    while (bytes.left > 0) {
      const tag = bytes.varint()
      if (tag === tags.comparator) {
        if (bytes.slice().toString('latin1') !== comparator) throw unreadable('its keys are in another order')
        this.#named = true
      } else if (numberTags.has(tag)) this.#numbers.set(tag, bytes.varint())
      else if (tag === tags.compactPointer) {
        level(bytes)
        bytes.slice()
      } else if (tag === tags.deletedFile) {
        level(bytes)
        this.#tables.delete(bytes.varint())
      } else if (tag === tags.newFile) added.push(newTable(bytes))
      else throw unreadable(`an edit has the unknown tag ${String(tag)}`)
    }
    // Last, as LevelDB does it: a table that moves to another level is deleted and added in one edit.
    for (const table of added) this.#tables.set(table.number, table)
  }

  /** @throws TidemarkError `corrupt-store`, with the reason only, when an edit that every MANIFEST has was not there. */
  version(): LevelVersion {
    const logNumber = this.#numbers.get(tags.logNumber)
    const lastSequence = this.#numbers.get(tags.lastSequence)
    if (!this.#named || logNumber === undefined || lastSequence === undefined || !this.#numbers.has(tags.nextFile)) {
      throw unreadable('its first edits are missing')
    }
    const previousLogNumber = this.#numbers.get(tags.previousLogNumber) ?? 0
    return { tables: this.#tables, logNumber, previousLogNumber, lastSequence }
  }
}

const tags = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLogNumber: 9,
} as const

const numberTags: ReadonlySet<number> = new Set([
  tags.logNumber,
  tags.nextFile,
  tags.lastSequence,
  tags.previousLogNumber,
])

function level(bytes: DiskBytes): number {
  const value = bytes.varint()
  if (value >= levels) throw unreadable(`an edit names level ${String(value)}`)
  return value
}

function newTable(bytes: DiskBytes): LiveTable {
  const of = level(bytes)
  const number = bytes.varint()
  const size = bytes.varint()
  // Copies: they are kept, and the record is not.
  const [smallest, largest] = [Buffer.from(bytes.slice()), Buffer.from(bytes.slice())]
  if (smallest.length < internalKeyBytes || largest.length < internalKeyBytes) {
    throw unreadable('an edit names a table without keys')
  }
  return { number, level: of, bytes: size, smallest, largest }
}

/** The sequence in the last eight bytes of a table's key. */
export function sequenceOf(internalKey: Buffer): number {
  const at = internalKey.length - internalKeyBytes
  // The lowest byte is the kind.
  return internalKey.readUIntLE(at + 1, 6) + internalKey.readUInt8(at + 7) * 2 ** 48
}
