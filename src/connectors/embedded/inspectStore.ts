import { readdir } from 'node:fs/promises'
import { isLevelName } from '../../files/levelNames.ts'
import { isMissing } from '../../files/ownership.ts'
import type { LevelDamage } from '../../leveldb/levelDamage.ts'
import { surveyStore, type StoreSurvey } from './surveyStore.ts'
import { damagesOf, readStoreFiles, unwitnessedTail, type StoreFiles } from './verifyStore.ts'

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

/** Reads the store in a LevelDB directory; null: there is none, and nothing says that there was one. Changes nothing. */
export async function inspectStore(directory: string): Promise<StoreInspection | null> {
  const files = await readStoreFiles(directory)
  const { witness, findings } = files
  const damages = [...damagesOf(files, directory)]
  if (findings.found === 'nothing' && damages.length === 0) return null
  let survey = await surveyStore(directory, witness, damages)
  const unwitnessed = unwitnessedTail(files, survey)
  if (unwitnessed.length > 0) {
    damages.push(...unwitnessed)
    survey = await surveyStore(directory, witness, damages)
  }
  return {
    ...files,
    fileCount: await countFiles(directory),
    fileDamages: damages,
    unfinished: damages.length === 0 ? findings.tornTail : null,
    survey,
  }
}

async function countFiles(directory: string): Promise<number> {
  try {
    const names = await readdir(directory)
    return names.filter((name) => isLevelName(name) && !/^(LOCK|LOG|LOG\.old)$/.test(name)).length
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  }
}
