import type { LevelDamage } from '../../../leveldb/levelDamage.ts'
import { readVersion } from '../../../leveldb/readVersion.ts'
import { internalKeyBytes } from '../../../leveldb/versionEdit.ts'
import type { KeyRange } from './storage.ts'

/** Keys of which something may be missing, both ends inclusive. Null: of any. */
export type AffectedKeys = readonly (readonly [from: Buffer, to: Buffer])[] | null

/** A table holds the keys between its first and its last; anything else that is damaged may have held every key. */
export async function affectedKeys(directory: string, damages: readonly LevelDamage[]): Promise<AffectedKeys> {
  if (damages.length === 0) return []
  const { version, damage } = await readVersion(directory)
  if (version === null || damage !== null) return null
  const ranges: (readonly [Buffer, Buffer])[] = []
  for (const { file } of damages) {
    const table = version.tables.get(Number(/^(\d+)\.(?:ldb|sst)$/.exec(file)?.[1] ?? -1))
    if (table === undefined) return null
    ranges.push([table.smallest.subarray(0, -internalKeyBytes), table.largest.subarray(0, -internalKeyBytes)])
  }
  return ranges
}

/** Whether anything of a range may be missing. */
export function isAffected(affected: AffectedKeys, { from, to }: KeyRange): boolean {
  if (affected === null) return true
  return affected.some(
    ([first, last]) => Buffer.compare(last, from) >= 0 && (to === null || Buffer.compare(first, to) < 0),
  )
}
