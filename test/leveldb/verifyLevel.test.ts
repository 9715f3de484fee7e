import { appendFile, mkdir, readFile, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { verifyLevel } from '../../src/leveldb/verifyLevel.ts'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'
import { damageKinds, damageStore } from '../support/damage/randomDamage.ts'
import {
  copyStore,
  readStore,
  removeStore,
  temporaryDirectory,
  writeRandomStore,
  type RandomStore,
} from '../support/damage/randomStore.ts'

const made: string[] = []
afterAll(async () => {
  for (const directory of made) await removeStore(directory)
})

async function randomStore(seed: number, compression = false): Promise<RandomStore> {
  const store = await writeRandomStore({ seed, compression })
  made.push(store.directory)
  return store
}

const clean = { found: 'database', damages: [], tornTail: null, tornManifest: null }

describe('what LevelDB leaves', () => {
  test.each([1, 2, 3, 4, 5, 6])('after it was closed is whole, compressed or not (seed %i)', async (seed) => {
    const { directory, history, content } = await randomStore(seed, seed % 2 === 0)
    const names = await readdir(directory)
    expect(names.filter((name) => name.endsWith('.ldb')).length).toBeGreaterThan(0)
    const findings = await verifyLevel(directory)
    expect(findings).toMatchObject(clean)
    expect(findings.lastSequence).toBe(Math.max(...history.keys()))
    expect(await readStore(directory)).toEqual(content)
  })

  test('before it has stored anything is nothing', async () => {
    const directory = path.join(await temporaryDirectory(), 'store')
    made.push(directory)
    expect(await verifyLevel(directory)).toMatchObject({ found: 'nothing' })
    await mkdir(directory)
    await writeFile(path.join(directory, 'LOCK'), '')
    await writeFile(path.join(directory, 'MANIFEST-000001'), 'made, and CURRENT not yet')
    expect(await verifyLevel(directory)).toMatchObject({ found: 'nothing' })
    await writeFile(path.join(directory, '000003.log'), '')
    expect((await verifyLevel(directory)).damages).toMatchObject([{ file: 'CURRENT', offset: 0 }])
  })
})

describe('damage', () => {
  test.each(damageKinds)(
    'of the kind "%s" is found, or what LevelDB reads is whole up to the last write',
    async (kind) => {
      const random = seededRandom(damageKinds.indexOf(kind) + 100)
      let found = 0
      for (const seed of [10, 11]) {
        const store = await randomStore(seed, seed % 2 === 0)
        const whole = Math.max(...store.history.keys())
        const logs = (await readdir(store.directory)).filter((name) => name.endsWith('.log')).toSorted()
        for (let trial = 0; trial < 25; trial += 1) {
          const directory = await copyStore(store.directory)
          made.push(directory)
          const what = await damageStore(directory, kind, random)
          if (what === null) continue
          const findings = await verifyLevel(directory)
          const told = [...findings.damages, findings.tornTail, findings.tornManifest].filter((each) => each !== null)
          if (told.length > 0) {
            found += 1
            for (const { file, reason } of told)
              expect([what, file, reason]).toEqual([
                what,
                expect.stringMatching(/^(\d+\.|MANIFEST|CURRENT)/),
                expect.stringMatching(/./),
              ])
          } else {
            // The log may end after any batch: then it is as it was after that batch, and nobody can tell. The same where
            // LevelDB, closed before it had made a table of a full log, leaves that one and the next: without the next one.
            const lacksNextLog = logs.length > 1 && what === `${logs.at(-1) ?? ''} is missing`
            if (kind !== 'cut' && !lacksNextLog) expect([what, findings.lastSequence]).toEqual([what, whole])
            expect([what, await readStore(directory)]).toEqual([what, store.history.get(findings.lastSequence)])
          }
        }
      }
      expect(found).toBeGreaterThan(20)
    },
  )

  test('at any byte of any file is found, or of no effect', async () => {
    const { directory, content } = await writeRandomStore({ seed: 20, lives: 2 })
    made.push(directory)
    const found = new Set<string>()
    const files = (await readdir(directory)).filter((name) => /^(\d+\.(log|ldb)|MANIFEST-\d+|CURRENT)$/.test(name))
    const random = seededRandom(7)
    for (const name of files) {
      const file = path.join(directory, name)
      const bytes = await readFile(file)
      // Each byte of the edges, and some in between.
      const places = new Set(
        [...bytes.keys()].filter((at) => at < 8 || at >= bytes.length - 10 || random.next() < 12 / bytes.length),
      )
      for (const at of places) {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(random.next() * 8))
        await writeFile(file, changed)
        const findings = await verifyLevel(directory)
        const told = [...findings.damages, findings.tornTail, findings.tornManifest].filter((each) => each !== null)
        if (told.length > 0) found.add(name)
        // A table that LevelDB has not deleted yet is of no effect.
        else {
          const copy = await copyStore(directory)
          made.push(copy)
          expect([name, at, await readStore(copy)]).toEqual([name, at, content])
        }
      }
      await writeFile(file, bytes)
    }
    expect(await verifyLevel(directory)).toMatchObject(clean)
    expect([...found].map((name) => name.replace(/\d+/, '')).toSorted()).toEqual(
      expect.arrayContaining(['.ldb', '.log', 'CURRENT', 'MANIFEST-']),
    )
  }, 60_000)

  test('a link in place of a file, and a file that grew, are damage', async () => {
    const { directory } = await randomStore(21)
    // All of them, because LevelDB may not have deleted yet what it does not need.
    const tables = (await readdir(directory)).filter((name) => name.endsWith('.ldb'))
    for (const name of tables) await appendFile(path.join(directory, name), Buffer.alloc(4096))
    const [grown] = (await verifyLevel(directory)).damages
    expect(grown).toMatchObject({ offset: 0, reason: expect.stringContaining('bytes, and LevelDB wrote') })
    for (const name of tables) {
      await rename(path.join(directory, name), path.join(directory, `${name}.elsewhere`))
      await symlink(`${name}.elsewhere`, path.join(directory, name))
    }
    const [linked] = (await verifyLevel(directory)).damages
    expect(linked).toMatchObject({ file: grown?.file, reason: 'the file is missing' })
  })
})
