import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Random } from '../../../src/core/ports/random.ts'

export const damageKinds = ['bit', 'zeroed page', 'cut', 'missing', 'swapped'] as const
export type DamageKind = (typeof damageKinds)[number]

const pageBytes = 4096

/** Damages one file of a LevelDB directory that holds what it stores. Says what was done; null: nothing can be done that way. */
export async function damageStore(directory: string, kind: DamageKind, random: Random): Promise<string | null> {
  const below = (count: number): number => Math.floor(random.next() * count)
  const names = (await readdir(directory)).filter((name) => /^(\d+\.(log|ldb)|MANIFEST-\d+|CURRENT)$/.test(name))
  const sorted = names.toSorted()
  const name = sorted[below(sorted.length)] ?? ''
  const file = path.join(directory, name)
  if (kind === 'missing') {
    await rm(file)
    return `${name} is missing`
  }
  const bytes = await readFile(file)
  if (kind === 'swapped') {
    const alike = sorted.filter((other) => other !== name && path.extname(other) === path.extname(name))
    const other = alike[below(alike.length)]
    if (other === undefined) return null
    const others = await readFile(path.join(directory, other))
    if (others.equals(bytes)) return null
    await replace(file, others)
    return `${name} has the content of ${other}`
  }
  if (bytes.length === 0) return null
  const at = below(bytes.length)
  if (kind === 'cut') {
    await replace(file, bytes.subarray(0, at))
    return `${name} is cut at ${String(at)}`
  }
  if (kind === 'bit') {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
    await replace(file, bytes)
    return `${name} has a bit flipped at ${String(at)}`
  }
  const page = bytes.subarray(at - (at % pageBytes), at - (at % pageBytes) + pageBytes)
  if (page.every((byte) => byte === 0)) return null
  page.fill(0)
  await replace(file, bytes)
  return `${name} has zeros from ${String(at - (at % pageBytes))} on`
}

/** In a file of its own, because it may be a link to another store's. */
async function replace(file: string, bytes: Buffer): Promise<void> {
  await rm(file)
  await writeFile(file, bytes)
}
