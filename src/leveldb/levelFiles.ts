import { namesIn } from '../files/namesIn.ts'

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
