import { lstat, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { TidemarkError } from '../../core/errors.ts'
import { fileFailure } from '../../files/fileFailure.ts'
import { isMissing } from '../../files/ownership.ts'
import type { LevelDamage } from '../../leveldb/levelDamage.ts'
import { verifyLevel, type LevelFindings } from '../../leveldb/verifyLevel.ts'
import { damagedStore } from './damagedStore.ts'
import { surveyStore, type StoreSurvey } from './surveyStore.ts'
import { readWitness, witnessFile, type FoundWitness } from './witness.ts'

/** How often a directory is read again in which something changes meanwhile. */
const maxReadings = 5

/** What the files of a store say, read without LevelDB. */
export interface StoreFiles {
  readonly witness: FoundWitness
  readonly findings: LevelFindings
}

/** A store whose files are whole, but for what a crash may have left of a write that nobody was told of. */
export interface VerifiedStore {
  readonly witness: FoundWitness
  /** The number behind which LevelDB counts the next change. */
  readonly sequence: number
}

/**
 * Makes sure that LevelDB may open a store: it leaves out what it cannot read, deletes it, and may end the process. Reads
 * all files and changes nothing.
 *
 * @throws TidemarkError `corrupt-store` with the file, the place in it, the reason, and what is affected; `directory-in-use`
 *   where somebody writes there all the time.
 */
export async function verifyStore(directory: string): Promise<VerifiedStore> {
  const files = await readStoreFiles(directory)
  const { witness, findings } = files
  const damages = [...damagesOf(files, directory)]
  if (findings.found === 'nothing' && damages.length === 0) return { witness, sequence: 0 }
  // A store of format 1 has no witness, and one that has lost it nobody who vouches for its end.
  const survey =
    damages.length > 0 || typeof witness !== 'object' ? await surveyStore(directory, witness, damages) : null
  if (survey !== null) damages.push(...unwitnessedTail(files, survey))
  // What is whole and of no format of ours is refused by its format.
  const isOurs = survey !== null && survey.format !== null
  if (damages.length > 0 || (isOurs && survey.damages.length > 0)) throw damaged(directory, damages, survey)
  return { witness, sequence: findings.countedSequence }
}

/**
 * A torn end that nobody vouches for, in a store that should have a witness. One of format 1 has none yet, also while it is
 * upgraded, and neither has a new one until its first write is there.
 */
export function unwitnessedTail(
  { witness, findings }: StoreFiles,
  { format, upgrading }: Pick<StoreSurvey, 'format' | 'upgrading'>,
): readonly LevelDamage[] {
  const { tornTail, lastSequence } = findings
  const hasNoWitnessYet = format === '1' || upgrading || lastSequence === 0
  return tornTail === null || typeof witness === 'object' || hasNoWitnessYet ? [] : [tornTail]
}

/**
 * Reads files and witness while nobody writes there: where something has changed meanwhile what was read may never have
 * been, and it is read again.
 */
export async function readStoreFiles(directory: string): Promise<StoreFiles> {
  try {
    for (let reading = 0; reading < maxReadings; reading += 1) {
      const before = await fingerprint(directory)
      const witness = await readWitness(witnessFile(directory))
      const findings = await verifyLevel(directory)
      const isWhole = findings.damages.length === 0 && findings.tornTail === null
      if (isWhole || before === (await fingerprint(directory))) return { witness, findings }
    }
  } catch (error) {
    throw fileFailure(error, `The embedded log in ${directory} cannot be read`, { path: directory })
  }
  throw new TidemarkError('directory-in-use', `Another process has ${directory} open, and writes there`, {
    details: { path: directory },
  })
}

/** What LevelDB's files say beyond themselves, and what they may not leave out. */
export function* damagesOf({ witness, findings }: StoreFiles, directory: string): Generator<LevelDamage> {
  const { found, tornTail, lastSequence } = findings
  if (found === 'nothing') {
    if (witness !== 'none') {
      const name = basename(witnessFile(directory))
      yield { file: '', offset: 0, reason: `its files are gone, and ${name} beside it says that there was a store` }
    }
    return
  }
  yield* findings.damages
  // What stands behind damage is not counted.
  if (findings.damages.length > 0 || typeof witness !== 'object') return
  if (lastSequence < witness.sequence) {
    const lost = `the last ${String(witness.sequence - lastSequence)} changes are missing, which were acknowledged as durable`
    yield tornTail === null
      ? { file: '', offset: 0, reason: lost }
      : { ...tornTail, reason: `${tornTail.reason}; ${lost}` }
  } else if (tornTail !== null && witness.closed) {
    yield { ...tornTail, reason: `${tornTail.reason}, and the store was closed when everything was written` }
  }
}

function damaged(directory: string, damages: readonly LevelDamage[], survey: StoreSurvey | null): TidemarkError {
  const [first] = damages
  const more =
    damages.length > 1 ? ` and in ${String(damages.length - 1)} more ${damages.length > 2 ? 'places' : 'place'}` : ''
  const place = first === undefined ? '' : `: ${displayDamage(first, directory)}${more}`
  return damagedStore(
    `The embedded store in ${directory} is damaged${place}. ${affectedText(survey)}Nothing was changed`,
    { path: directory, ...(first === undefined ? {} : { file: fileOf(first, directory), offset: first.offset }) },
  )
}

/** `log/000003.log, byte 4096: the checksum of a record is wrong` */
export function displayDamage({ file, offset, reason }: LevelDamage, directory: string): string {
  return `${fileOf({ file }, directory)}, byte ${String(offset)}: ${reason}`
}

/** Relative to the data directory. */
function fileOf({ file }: Pick<LevelDamage, 'file'>, directory: string): string {
  return join(basename(directory), file)
}

/** Names in a message; the rest is what `store check` lists. */
const namedDamages = 4

function affectedText(survey: StoreSurvey | null): string {
  if (survey === null || survey.damages.length === 0) return ''
  const { damages } = survey
  const more = damages.length > namedDamages ? `; ${String(damages.length - namedDamages)} more` : ''
  return `Affected, as far as can be told: ${damages.slice(0, namedDamages).join('; ')}${more}. `
}

/** Names, sizes and times of all that is there, without what LevelDB only notes. */
async function fingerprint(directory: string): Promise<string> {
  const names = (await namesIn(directory)).filter((name) => !/^(LOG|LOG\.old|LOCK)$/.test(name)).toSorted()
  const places = [...names.map((name) => join(directory, name)), witnessFile(directory)]
  const lines: string[] = []
  for (const place of places) {
    try {
      const { ino, size, mtimeMs } = await lstat(place)
      lines.push(`${place} ${String(ino)} ${String(size)} ${String(mtimeMs)}`)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return lines.join('\n')
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
