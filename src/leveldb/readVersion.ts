import { namesIn } from '../files/directoryNames.ts'
import { damageOf, readAt, DiskBytes, unreadable, type LevelDamage } from './diskBytes.ts'
import { LogScan } from './logScan.ts'
import { openStored, type StoredFile } from './storedFile.ts'

/** The files of a directory that hold what LevelDB stores, by their numbers. */
export interface LevelFiles {
  readonly current: boolean
  readonly manifests: readonly number[]
  readonly logs: ReadonlyMap<number, string>
  readonly tables: ReadonlyMap<number, string>
}

/** Null: there is no such directory. Notes of LevelDB (LOG), its lock and what it has not finished are not looked at. */
export async function levelFilesIn(directory: string): Promise<LevelFiles | null> {
  const manifests: number[] = []
  const logs = new Map<number, string>()
  const tables = new Map<number, string>()
  const names = await namesIn(directory)
  if (names === null) return null
  for (const name of names.toSorted()) {
    const [, number = '', kind] = /^(\d{1,15})\.(log|ldb|sst)$/.exec(name) ?? []
    if (kind === 'log') logs.set(Number(number), name)
    // Of two names LevelDB opens this one.
    else if (kind === 'ldb') tables.set(Number(number), name)
    else if (kind === 'sst' && !tables.has(Number(number))) tables.set(Number(number), name)
    const [, manifest] = /^MANIFEST-(\d{1,15})$/.exec(name) ?? []
    if (manifest !== undefined) manifests.push(Number(manifest))
  }
  return { current: names.includes('CURRENT'), manifests, logs, tables }
}

/** No MANIFEST is larger: LevelDB begins a new one at each open. */
const maxManifestBytes = 256 * 1024 * 1024
/** `MANIFEST-` and a number. */
const maxCurrentBytes = 64

export interface TornManifest extends LevelDamage {
  /** False: LevelDB, which goes past an edit that the file ends in, does not go past one with a page missing in it. */
  readonly opens: boolean
}

export interface ReadVersion {
  /** Null where CURRENT or MANIFEST tell nothing that could be gone on from. */
  readonly version: LevelVersion | null
  readonly damage: LevelDamage | null
  /** The last edit was being written when the process or the machine ended. */
  readonly tornTail: TornManifest | null
}

/** Follows CURRENT to the MANIFEST and takes its edits, those before any damage where there is some. */
export async function readVersion(directory: string): Promise<ReadVersion> {
  let name = 'CURRENT'
  try {
    const current = await using(directory, name, (file) => file.read(0, maxCurrentBytes))
    if (current === null) return nothing(name, 'the file is missing')
    const manifest = /^(MANIFEST-\d{1,15})\n$/.exec(current.toString('latin1'))?.[1]
    if (manifest === undefined) return nothing(name, 'it does not name a MANIFEST')
    name = manifest
    return (await using(directory, name, readManifest)) ?? nothing(name, 'the file is missing')
  } catch (error) {
    return { version: null, damage: damageOf(error, name), tornTail: null }
  }
}

async function readManifest(file: StoredFile): Promise<ReadVersion> {
  const { name } = file
  const edits = new VersionEdits()
  if (file.size > maxManifestBytes) {
    return nothing(name, `the file has ${String(file.size)} bytes, more than LevelDB lets it grow`)
  }
  let damage: LevelDamage | null = null
  const scan = new LogScan({
    keepBytes: maxManifestBytes,
    take(offset, record) {
      if (damage !== null) return
      damage = damageIn(name, () => {
        readAt(offset, () => {
          edits.take(record)
        })
      })
    },
  })
  for await (const block of file.logBlocks()) scan.push(block)
  const end = scan.end()
  const broken = end === null ? null : { file: name, offset: end.offset, reason: end.reason }
  let version: LevelVersion | null = null
  const incomplete = damageIn(name, () => {
    version = edits.version()
  })
  // Without its first edits a MANIFEST was never in use, so that it is not the last edit that is torn.
  const torn = end?.torn === true && incomplete === null
  return {
    version,
    damage: damage ?? (torn ? null : (broken ?? incomplete)),
    tornTail: torn && broken !== null ? { ...broken, opens: end.endsFile } : null,
  }
}

function nothing(file: string, reason: string): ReadVersion {
  return { version: null, damage: { file, offset: 0, reason }, tornTail: null }
}

function damageIn(file: string, read: () => void): LevelDamage | null {
  try {
    read()
    return null
  } catch (error) {
    return damageOf(error, file)
  }
}

async function using<T>(directory: string, name: string, read: (file: StoredFile) => Promise<T>): Promise<T | null> {
  const file = await openStored(directory, name)
  if (file === null) return null
  try {
    return await read(file)
  } finally {
    await file.close()
  }
}

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
