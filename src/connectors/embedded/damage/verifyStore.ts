import { lstat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { TidemarkError } from '../../../core/errors.ts'
import { isLevelName, namesIn } from '../../../files/directoryNames.ts'
import { fileFailure } from '../../../files/fileFailure.ts'
import { isMissing } from '../../../files/ownership.ts'
import type { LevelDamage } from '../../../leveldb/diskBytes.ts'
import { readSteadily } from '../../../leveldb/readSteadily.ts'
import { verifyLevel, type LevelFindings } from '../../../leveldb/verifyLevel.ts'
import { damagedStore } from './damagedStore.ts'
import { checkFormat, readIdentity } from '../store/storeFormat.ts'
import { formatKey } from '../store/storeKeys.ts'
import { newestHeadEntries } from './readStoreHead.ts'
import { surveyStore, type StoreSurvey } from './surveyStore.ts'
import { foreignWitness, readWitness, witnessFile, type FoundWitness } from './witness.ts'

/** A store as it was read, without LevelDB, while nobody wrote there, or whole. */
interface StoreReading {
  readonly witness: FoundWitness
  readonly findings: LevelFindings
  /** What is wrong with the files; what is wrong with the content stands in the survey. */
  readonly fileDamages: readonly LevelDamage[]
  /** The log is whole, and that of another store than the witness; or not even of the witness's format. */
  readonly isForeign: boolean
  /** A write that was being made when its process or the machine ended: it is left out, and was never acknowledged. */
  readonly unfinished: LevelDamage | null
  /** Null: not asked for, and not needed. */
  readonly survey: StoreSurvey | null
}

/** A store whose files are whole, but for what a crash may have left of a write that nobody was told of. */
export interface VerifiedStore {
  readonly witness: FoundWitness
  /** The number behind which LevelDB counts the next change. */
  readonly sequence: number
  /** An edit that was being written when the machine stopped, and that LevelDB would not go past. */
  readonly tornManifest: LevelDamage | null
}

/**
 * Makes sure that LevelDB may open a store: it leaves out what it cannot read, deletes it, and may end the process. Reads
 * all files and changes nothing.
 *
 * @throws TidemarkError `corrupt-store` with the file, the place in it, the reason, and what is affected; `unknown-format`;
 *   `directory-in-use` where somebody writes there all the time.
 */
export async function verifyStore(directory: string): Promise<VerifiedStore> {
  const { witness, findings, fileDamages, isForeign, survey } = await readStore(directory, 'where it is needed')
  if (isForeign) throw damaged(directory, [{ file: '', offset: 0, reason: foreignWitness }], null)
  // What is whole and of no format of ours is refused by its format.
  const isOurs = survey !== null && survey.format !== null
  if (fileDamages.length > 0 || (isOurs && survey.damages.length > 0)) throw damaged(directory, fileDamages, survey)
  const { tornManifest, countedSequence } = findings
  return { witness, sequence: countedSequence, tornManifest: tornManifest?.opens === false ? tornManifest : null }
}

/**
 * Reads a store as often as somebody writes there meanwhile. The files and the content are one reading: what is whole in the
 * ones may be gone when the other is looked at.
 *
 * @throws TidemarkError `directory-in-use` where somebody writes there all the time.
 */
async function readStore(directory: string, surveyed: 'always' | 'where it is needed'): Promise<StoreReading> {
  let reading: StoreReading | null = null
  try {
    reading = await readSteadily(
      [directory, witnessFile(directory)],
      () => readOnce(directory, surveyed),
      ({ fileDamages, isForeign, unfinished, survey }) =>
        fileDamages.length === 0 && !isForeign && unfinished === null && (survey?.damages.length ?? 0) === 0,
    )
  } catch (error) {
    throw fileFailure(error, `The embedded log in ${directory} cannot be read`, { path: directory })
  }
  if (reading !== null) return reading
  throw new TidemarkError('directory-in-use', `Another process has ${directory} open, and writes there`, {
    details: { path: directory },
  })
}

async function readOnce(directory: string, surveyed: 'always' | 'where it is needed'): Promise<StoreReading> {
  const witness = await readWitness(witnessFile(directory))
  const findings = await verifyLevel(directory)
  const files = { witness, findings }
  const nothing = { ...files, fileDamages: [], isForeign: false, unfinished: null, survey: null }
  const { damages, unfinished } = judge(files, directory, await traceBeside(directory))
  if (findings.found === 'nothing' && damages.length === 0) return nothing
  const isForeign = damages.length === 0 && (await isOfAnother(directory, witness))
  // A store of format 1 has no witness, and one that has lost it nobody who vouches for its end.
  const isNeeded = damages.length > 0 || typeof witness !== 'object'
  if (surveyed !== 'always' && !isNeeded) return { ...nothing, isForeign, unfinished }
  let survey = await surveyStore(directory, witness, damages)
  const unwitnessed = unwitnessedTail(files, survey)
  if (unwitnessed.length > 0) {
    damages.push(...unwitnessed)
    // What is torn may have held the newest entries.
    if (surveyed === 'always') survey = await surveyStore(directory, witness, damages)
  }
  return { ...files, fileDamages: damages, isForeign, unfinished: damages.length === 0 ? unfinished : null, survey }
}

/**
 * Whether a log that is whole is of another store than its witness. It is found out before LevelDB opens the log, and before
 * one of format 1, which has no witness, becomes one of format 2. Throws `unknown-format`.
 */
async function isOfAnother(directory: string, witness: FoundWitness): Promise<boolean> {
  if (typeof witness !== 'object') return false
  const entry = (await newestHeadEntries(directory))(formatKey)
  if (entry === null) return true
  checkFormat(entry, directory)
  return readIdentity(entry)?.id !== witness.storeId
}

/**
 * A torn end that nobody vouches for, in a store that should have a witness. One of format 1 has none yet, also while it is
 * upgraded, and neither has a new one until its first write is there.
 */
function unwitnessedTail(
  { witness, findings }: Pick<StoreReading, 'witness' | 'findings'>,
  { format, upgrading }: Pick<StoreSurvey, 'format' | 'upgrading'>,
): readonly LevelDamage[] {
  const { tornTail, lastSequence } = findings
  const hasNoWitnessYet = format === '1' || upgrading || lastSequence === 0
  return tornTail === null || typeof witness === 'object' || hasNoWitnessYet ? [] : [tornTail]
}

/** Directories that are made when there is a store, and not before; `holder.json` is a hint to others, and proves nothing. */
const traces = ['embedded', 'control']

/** The name of something in the data directory that says that there was a store. */
async function traceBeside(directory: string): Promise<string | null> {
  for (const name of traces) {
    try {
      await lstat(join(dirname(directory), name))
      return name
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return null
}

/** What LevelDB's files say beyond themselves, and what they may not leave out. */
function judge(
  { witness, findings }: Pick<StoreReading, 'witness' | 'findings'>,
  directory: string,
  trace: string | null,
): { readonly damages: LevelDamage[]; readonly unfinished: LevelDamage | null } {
  const { found, tornManifest, perhapsTorn, lastSequence } = findings
  if (found === 'nothing') {
    const name = witness === 'none' ? trace : basename(witnessFile(directory))
    const reason = `its files are gone, and ${name ?? ''} beside it says that there was a store`
    return { damages: name === null ? [] : [{ file: '', offset: 0, reason }], unfinished: null }
  }
  if (typeof witness !== 'object') {
    return { damages: [...findings.damages], unfinished: findings.tornTail ?? tornManifest }
  }
  // The witness says that nothing which was acknowledged is gone, so that a page was not written, and it is no chance.
  const isTorn =
    perhapsTorn !== null && findings.damages.length === 1 && lastSequence >= witness.sequence && !witness.closed
  const damages = isTorn ? [] : [...findings.damages]
  const tornTail = isTorn ? perhapsTorn : findings.tornTail
  const unfinished = tornTail ?? tornManifest
  // What stands behind damage is not counted.
  if (damages.length > 0) return { damages, unfinished: null }
  if (lastSequence < witness.sequence) {
    const lost = `the last ${String(witness.sequence - lastSequence)} changes are missing, which were acknowledged as durable`
    damages.push(
      tornTail === null
        ? { file: '', offset: 0, reason: lost }
        : { ...tornTail, reason: `${tornTail.reason}; ${lost}` },
    )
  } else if (unfinished !== null && witness.closed) {
    damages.push({
      ...unfinished,
      reason: `${unfinished.reason}, and the store was closed when everything was written`,
    })
  }
  return { damages, unfinished }
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

/** All that can be told of a store without opening it. */
export interface StoreInspection extends StoreReading {
  /** Of LevelDB, those that hold content. */
  readonly fileCount: number
  readonly survey: StoreSurvey
}

/**
 * Reads the store in a LevelDB directory; null: there is none, and nothing says that there was one. Changes nothing. Throws
 * `directory-in-use` where somebody writes there all the time.
 */
export async function inspectStore(directory: string): Promise<StoreInspection | null> {
  // That the log is of another store is said by the survey.
  const { survey, ...reading } = await readStore(directory, 'always')
  return survey === null ? null : { ...reading, survey, fileCount: await countFiles(directory) }
}

async function countFiles(directory: string): Promise<number> {
  const names = (await namesIn(directory)) ?? []
  return names.filter((name) => isLevelName(name) && !/^(LOCK|LOG|LOG\.old)$/.test(name)).length
}
