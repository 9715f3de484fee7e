import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readLevelEntries } from '../../src/leveldb/readLevelEntries.ts'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'
import { damageKinds, damageStore } from '../support/damage/randomDamage.ts'
import {
  copyStore,
  removeStore,
  writeRandomStore,
  type Content,
  type RandomStore,
} from '../support/damage/randomStore.ts'

const made: string[] = []
afterAll(async () => {
  for (const directory of made) await removeStore(directory)
})

async function randomStore(seed: number): Promise<RandomStore> {
  const store = await writeRandomStore({ seed, compression: seed % 2 === 0 })
  made.push(store.directory)
  return store
}

/** What the entries leave: of each key the last, or the one with the largest sequence. */
async function entriesOf(directory: string, by: 'order' | 'sequence'): Promise<Content> {
  const newest = new Map<string, { readonly value: string | null; readonly sequence: number }>()
  for await (const { key, value, sequence } of readLevelEntries(directory)) {
    const name = key.toString('latin1')
    if (by === 'sequence' && (newest.get(name)?.sequence ?? -1) > sequence) continue
    newest.set(name, { value: value?.toString('latin1') ?? null, sequence })
  }
  return new Map([...newest].flatMap(([key, { value }]) => (value === null ? [] : [[key, value] as const])))
}

const sorted = (content: Content): Content => new Map([...content].toSorted(([a], [b]) => (a < b ? -1 : 1)))

describe('what is read of a LevelDB directory without LevelDB', () => {
  test.each([30, 31, 32, 33])('is what LevelDB reads, by order and by sequence (seed %i)', async (seed) => {
    const { directory, content } = await randomStore(seed)
    expect(sorted(await entriesOf(directory, 'order'))).toEqual(sorted(content))
    expect(sorted(await entriesOf(directory, 'sequence'))).toEqual(sorted(content))
  })

  test('without CURRENT or MANIFEST is the same by sequence', async () => {
    const { directory, content } = await randomStore(34)
    await rm(path.join(directory, 'CURRENT'))
    expect(sorted(await entriesOf(directory, 'sequence'))).toEqual(sorted(content))
    await writeFile(path.join(directory, 'CURRENT'), 'MANIFEST-999999\n')
    expect(sorted(await entriesOf(directory, 'sequence'))).toEqual(sorted(content))
  })

  test.each(damageKinds)('after damage of the kind "%s" is a part of what was written', async (kind) => {
    const random = seededRandom(damageKinds.indexOf(kind) + 200)
    const store = await randomStore(35 + damageKinds.indexOf(kind))
    const written = new Map<string, Set<string>>()
    for (const content of store.history.values()) {
      for (const [key, value] of content) written.set(key, (written.get(key) ?? new Set()).add(value))
    }
    for (let trial = 0; trial < 15; trial += 1) {
      const directory = await copyStore(store.directory)
      made.push(directory)
      const what = await damageStore(directory, kind, random)
      if (what === null) continue
      const left = await entriesOf(directory, 'sequence')
      const invented = [...left].filter(([key, value]) => written.get(key)?.has(value) !== true)
      expect([what, invented]).toEqual([what, []])
      expect([what, left.size > 0]).toEqual([what, true])
    }
  })
})
