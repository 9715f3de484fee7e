import { readdir } from 'node:fs/promises'
import { isMissing } from './ownership.ts'

/** The names of what is in a directory; null: there is no such directory. */
export async function namesIn(directory: string): Promise<readonly string[] | null> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}
