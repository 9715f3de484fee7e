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
import { openStored, type StoredFile } from './storedFile.ts'
import { verifyTable } from './verifyTable.ts'

/** Of `damages` the first of each file: but for them, `tornTail` and `tornManifest`, what is there is what LevelDB wrote. */
export interface LevelFindings extends LogFindings {
  /** `nothing`: LevelDB would make a new database there, and nothing that was ever written is lost by it. */
  readonly found: 'nothing' | 'database'
  /** The last edit of the MANIFEST is torn. All files that are live without it are there, so it had not been acted on. */
  readonly tornManifest: TornManifest | null
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
  let bytes = 0
  const verifyFile = async (
    name: string,
    whereThereIsNone: string,
    verify: (file: StoredFile) => Promise<void>,
  ): Promise<void> => {
    const file = await openStored(directory, name)
    if (file === null) {
      damages.push({ file: name, offset: 0, reason: whereThereIsNone })
      return
    }
    bytes += file.size
    try {
      await verify(file)
    } catch (error) {
      damages.push(damageOf(error, name))
    } finally {
      await file.close()
    }
  }

  const { logNumber, lastSequence, tables } = version
  for (const table of tables.values()) {
    const name = files.tables.get(table.number) ?? numbered(table.number, 'ldb')
    await verifyFile(name, 'the file is missing', (file) => verifyTable(file, table))
  }

  // LevelDB makes a log before it writes its number into the MANIFEST, and deletes it only when another number stands there.
  if (logNumber > 0 && !files.logs.has(logNumber)) {
    damages.push({ file: numbered(logNumber, 'log'), offset: 0, reason: 'the file is missing' })
  }
  const bounds = [...tables.values()].flatMap(({ smallest, largest }) => [sequenceOf(smallest), sequenceOf(largest)])
  const chain = new LogChain({ lastSequence, tableSequence: bounds.reduce((most, next) => Math.max(most, next), 0) })
  for (const name of liveLogs(version, files)) {
    await verifyFile(name, 'it is not a file', async (file) => {
      chain.begin(name)
      for await (const block of file.logBlocks()) chain.push(block)
      chain.finish()
    })
  }
  const logs = chain.findings()
  damages.push(...logs.damages)
  const countedSequence = Math.max(logs.lastSequence, lastSequence)
  return { ...logs, found: 'database', damages, tornManifest, countedSequence, bytes }
}

/**
 * A directory in which LevelDB has stored nothing yet. It makes the first MANIFEST before CURRENT, and with the first open
 * that succeeds the second one.
 */
function holdsNothing({ current, manifests, logs, tables }: LevelFiles): boolean {
  return !current && logs.size === 0 && tables.size === 0 && manifests.every((number) => number === 1)
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
