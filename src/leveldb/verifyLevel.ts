import { damageOf, type LevelDamage } from './diskBytes.ts'
import {
  levelFilesIn,
  readVersion,
  sequenceOf,
  type LevelFiles,
  type TornManifest,
  type LevelVersion,
} from './readVersion.ts'
import { LogChain, type LogFindings } from './logChain.ts'
import { openStored } from './storedFile.ts'
import { verifyTable } from './verifyTable.ts'

export interface LevelFindings {
  /** `nothing`: LevelDB would make a new database there, and nothing that was ever written is lost by it. */
  readonly found: 'nothing' | 'database'
  /** Empty: what is there is what LevelDB wrote, but for `tornTail` and `tornManifest`. The first of each file. */
  readonly damages: readonly LevelDamage[]
  /**
   * The last batch of writes is not whole: the file ends within it, or pages of it are missing, or the log ends before a write that the
   * MANIFEST knows of. A crash in the middle of a write leaves that, and LevelDB leaves the batch out; after writes that
   * were synced only damage does.
   */
  readonly tornTail: LevelDamage | null
  /**
   * In `damages`, and perhaps no damage: the last batch begins with the last bytes of a page, and they are zeros. A page that
   * was not written leaves that, and so may chance.
   */
  readonly perhapsTorn: LevelDamage | null
  /** The same for the last edit of the MANIFEST. All files that are live without it are there, so it had not been acted on. */
  readonly tornManifest: TornManifest | null
  /** The newest write that is whole. Each write of a batch has a number, and each number was given once. */
  readonly lastSequence: number
  /** What LevelDB gives the next number behind: more than `lastSequence` where the log lacks what the MANIFEST knows of. */
  readonly countedSequence: number
  /** Live files that were read. */
  readonly bytes: number
}

const nothing: LevelFindings = {
  found: 'nothing',
  damages: [],
  tornTail: null,
  perhapsTorn: null,
  tornManifest: null,
  lastSequence: 0,
  countedSequence: 0,
  bytes: 0,
}

/**
 * Reads every live file of a LevelDB directory as the formats say, without LevelDB: which, when it opens a damaged directory,
 * leaves out what it cannot read and deletes the file. Changes nothing. Where somebody may write there meanwhile, damage that
 * is found may be of that: see `readSteadily`.
 *
 * Memory: some MiB, and the largest block of which keys are looked at, whatever the files claim.
 *
 * @throws what the file system throws when it refuses to read.
 */
export async function verifyLevel(directory: string): Promise<LevelFindings> {
  const files = await levelFilesIn(directory)
  if (files === null || holdsNothing(files)) return nothing
  const { version, damage, tornTail: tornManifest } = await readVersion(directory)
  const damages: LevelDamage[] = damage === null ? [] : [damage]
  // What is live stands in the MANIFEST only.
  if (version === null) return { ...nothing, found: 'database', damages }
  const tables = await verifyTables(directory, version, files)
  const logs = await verifyLogs(directory, version, files)
  return {
    found: 'database',
    damages: [...damages, ...tables.damages, ...logs.damages],
    tornTail: logs.tornTail,
    perhapsTorn: logs.perhapsTorn,
    tornManifest,
    lastSequence: logs.lastSequence,
    countedSequence: Math.max(logs.lastSequence, version.lastSequence),
    bytes: tables.bytes + logs.bytes,
  }
}

/**
 * A directory in which LevelDB has stored nothing yet. It makes the first MANIFEST before CURRENT, and with the first open
 * that succeeds the second one.
 */
function holdsNothing({ current, manifests, logs, tables }: LevelFiles): boolean {
  return !current && logs.size === 0 && tables.size === 0 && manifests.every((number) => number === 1)
}

async function verifyTables(
  directory: string,
  { tables }: LevelVersion,
  files: LevelFiles,
): Promise<{ readonly damages: readonly LevelDamage[]; readonly bytes: number }> {
  const damages: LevelDamage[] = []
  let bytes = 0
  for (const table of tables.values()) {
    const name = files.tables.get(table.number) ?? numbered(table.number, 'ldb')
    const file = await openStored(directory, name)
    if (file === null) {
      damages.push({ file: name, offset: 0, reason: 'the file is missing' })
      continue
    }
    bytes += file.size
    try {
      await verifyTable(file, table)
    } catch (error) {
      damages.push(damageOf(error, name))
    } finally {
      await file.close()
    }
  }
  return { damages, bytes }
}

async function verifyLogs(
  directory: string,
  version: LevelVersion,
  files: LevelFiles,
): Promise<LogFindings & { readonly bytes: number }> {
  const { logNumber, lastSequence, tables } = version
  const bounds = [...tables.values()].flatMap(({ smallest, largest }) => [sequenceOf(smallest), sequenceOf(largest)])
  const chain = new LogChain({ lastSequence, tableSequence: bounds.reduce((most, next) => Math.max(most, next), 0) })
  const unread: LevelDamage[] = []
  // LevelDB makes a log before it writes its number into the MANIFEST, and deletes it only when another number stands there.
  if (logNumber > 0 && !files.logs.has(logNumber)) {
    unread.push({ file: numbered(logNumber, 'log'), offset: 0, reason: 'the file is missing' })
  }
  let bytes = 0
  for (const name of liveLogs(version, files)) {
    const file = await openStored(directory, name)
    if (file === null) {
      unread.push({ file: name, offset: 0, reason: 'it is not a file' })
      continue
    }
    bytes += file.size
    try {
      chain.begin(name)
      for await (const block of file.logBlocks()) chain.push(block)
      chain.finish()
    } catch (error) {
      unread.push(damageOf(error, name))
    } finally {
      await file.close()
    }
  }
  const { damages, ...rest } = chain.findings()
  return { ...rest, damages: [...unread, ...damages], bytes }
}

/** In the order in which they were written. */
export function liveLogs(
  { logNumber, previousLogNumber }: Pick<LevelVersion, 'logNumber' | 'previousLogNumber'>,
  { logs }: LevelFiles,
): readonly string[] {
  return [...logs]
    .filter(([number]) => number >= logNumber || (previousLogNumber > 0 && number === previousLogNumber))
    .toSorted(([a], [b]) => a - b)
    .map(([, name]) => name)
}

function numbered(number: number, kind: string): string {
  return `${String(number).padStart(6, '0')}.${kind}`
}
