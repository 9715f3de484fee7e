import { damageOf, readAt } from './diskBytes.ts'
import type { LevelDamage } from './levelDamage.ts'
import { LogScan } from './logScan.ts'
import { openStored, type StoredFile } from './storedFile.ts'
import { VersionEdits, type LevelVersion } from './versionEdit.ts'

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
  const nothing = (file: string, reason: string): ReadVersion => ({
    version: null,
    damage: { file, offset: 0, reason },
    tornTail: null,
  })
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
  let damage: LevelDamage | null = null
  if (file.size > maxManifestBytes) {
    damage = {
      file: name,
      offset: 0,
      reason: `the file has ${String(file.size)} bytes, more than LevelDB lets it grow`,
    }
    return { version: null, damage, tornTail: null }
  }
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
