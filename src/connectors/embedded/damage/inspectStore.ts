import { isLevelName } from '../../../files/levelNames.ts'
import { namesIn } from '../../../files/namesIn.ts'
import type { LevelDamage } from '../../../leveldb/levelDamage.ts'
import type { StoreSurvey } from './surveyStore.ts'
import { readStore, type StoreFiles } from './verifyStore.ts'

/** All that can be told of a store without opening it. */
export interface StoreInspection extends StoreFiles {
  /** Of LevelDB, those that hold content. */
  readonly fileCount: number
  /** What is wrong with the files; what is wrong with the content stands in the survey. */
  readonly fileDamages: readonly LevelDamage[]
  /** A write that was being made when its process or the machine ended: it is left out, and was never acknowledged. */
  readonly unfinished: LevelDamage | null
  readonly survey: StoreSurvey
}

/**
 * Reads the store in a LevelDB directory; null: there is none, and nothing says that there was one. Changes nothing. Throws
 * `directory-in-use` where somebody writes there all the time.
 */
export async function inspectStore(directory: string): Promise<StoreInspection | null> {
  // That the log is of another store is said by the survey.
  const { damages, survey, witness, findings, unfinished } = await readStore(directory, 'always')
  if (survey === null) return null
  return { witness, findings, fileCount: await countFiles(directory), fileDamages: damages, unfinished, survey }
}

async function countFiles(directory: string): Promise<number> {
  const names = (await namesIn(directory)) ?? []
  return names.filter((name) => isLevelName(name) && !/^(LOCK|LOG|LOG\.old)$/.test(name)).length
}
