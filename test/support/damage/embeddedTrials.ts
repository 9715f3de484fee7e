import { copyFile, link, mkdir, mkdtemp, readdir, rm, truncate, writeFile, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import {
  changelogDeleteRetentionMs,
  compactChangelog,
} from '../../../src/connectors/embedded/store/changelogCompaction.ts'
import { inspectStore } from '../../../src/connectors/embedded/damage/verifyStore.ts'
import { StoredBatchBuilder } from '../../../src/connectors/embedded/store/recordBatch.ts'
import { salvageStore } from '../../../src/connectors/embedded/damage/salvageStore.ts'
import { foreignWitness, witnessFile } from '../../../src/connectors/embedded/damage/witness.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { messageOf, TidemarkError } from '../../../src/core/errors.ts'
import { systemRandom } from '../../../src/core/ports/random.ts'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'
import { dumpStore, fillStore } from '../../connectors/embedded/damagedDisk.ts'
import { damageKinds, damageStore } from './randomDamage.ts'
import type { TrialReport } from './runTrials.ts'
import { collectRows, missingFrom, readableContent, type Written } from './storeContent.ts'

/*
 * Damages stores of the embedded world at random and opens them: `node embeddedTrials.ts <trials> <seed>`. What is read must
 * be what it was without the damage, or the store is refused as `corrupt-store`; then it is inspected and salvaged, and the
 * copy must hold nothing that was never written, and leave out nothing without saying so. Says as one line of JSON what came
 * out, and never throws: an abort of the process, or an error that is none of ours, is for the caller to see.
 */

const [trials = 0, seed = 1] = process.argv.slice(2).map(Number)
const random = seededRandom(seed)
const below = (count: number): number => Math.floor(random.next() * count)
const place = await mkdtemp(path.join(tmpdir(), 'tidemark-trials-'))

/** `another store`: a file of a store with the same history. `witness`: the file beside the log. */
const kinds = [...damageKinds, 'another store', 'witness'] as const

/** A store as its process left it, and another with the same history. */
interface Left {
  readonly log: string
  readonly twin: string
  readonly dump: readonly string[]
  readonly written: Written
  readonly twinWritten: Written
}

/** How a store came to be what it is. */
interface History {
  readonly lives: number
  /** The last life, instead of by itself. */
  readonly isKilled: boolean
  /** One before the first was `--fresh` and nothing else: the mark of it, and its deletion, stand in different files then. */
  readonly isCleared: boolean
  /** The last one begins with `--fresh`. */
  readonly isFresh: boolean
}

const changelog = 'trial-changelog'

function open(log: string): Promise<EmbeddedStore> {
  return EmbeddedStore.open(log, { clock: systemClock, partitions: 2 })
}

/** Writes a store in several lives. */
async function write(
  log: string,
  { lives, isKilled, isCleared, isFresh }: History,
  salt: string,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const written = new Map<string, Set<string>>()
  if (isCleared) {
    const store = await open(log)
    await store.clear()
    await store.close()
  }
  for (let life = 0; life < lives; life += 1) {
    const store = await open(log)
    if (life === 0) await fillStore(store)
    if (isFresh && life === lives - 1) {
      await store.clear()
      await fillStore(store)
    }
    await changeState(store, `${salt} ${String(life)}`)
    for (let append = 0; append < 4; append += 1) {
      const value = Buffer.alloc(append === 2 ? 40_000 : 200, `${salt} ${String(life)} ${String(append)} `)
      await store.append(
        [0, 1].map((partition) => ({ topic: 'large', partition, key: null, value, headers: [], timestamp: life })),
      )
    }
    const rows = Array.from({ length: 30 }, (_, id) => ({ id, name: `${salt} ${String(life)} ${String(id)}` }))
    const columns = { id: 'int', name: 'text' }
    await store.loadTable({ keyspace: 'shop', table: 'items', columns, primaryKey: [['id'], []], rows })
    await collectRows(store, written)
    // What a killed process has written is there, and LevelDB has closed nothing.
    if (isKilled && life === lives - 1) await copyLog(log, `${log}-killed`)
    await store.close()
  }
  return written
}

/** A changelog in which keys are deleted, and whose compaction drops what was deleted. */
async function changeState(store: EmbeddedStore, life: string): Promise<void> {
  await store.writer.write((change) => {
    store.topics.ensureInternal(change, changelog, 1)
  })
  const log = store.topics.partition(changelog, 0)
  const batches = [{ deleted: life, [`kept ${life}`]: life }, { deleted: null, other: life }, { last: life }]
  for (const entries of batches) {
    await store.writer.write((change) => {
      const batch = new StoredBatchBuilder()
      for (const [key, value] of Object.entries<string | null>(entries)) {
        const bytes = value === null ? null : Buffer.from(value.padEnd(3_000, '.'))
        batch.add({ timestamp: 1, key: Buffer.from(key), value: bytes, headers: [] })
      }
      change.append(log, batch.take())
    })
  }
  await compactChangelog(store.storage, log, { keep: () => true, nowMs: 2 * changelogDeleteRetentionMs })
}

async function leave(name: string): Promise<Left> {
  const history = { lives: 1 + below(4), isKilled: below(2) === 0, isCleared: below(2) === 0, isFresh: below(2) === 0 }
  const logs: string[] = []
  const wholes: Written[] = []
  const dumps: (readonly string[])[] = []
  for (const salt of ['a', 'b']) {
    const directory = path.join(place, name, salt)
    await mkdir(directory, { recursive: true })
    const log = path.join(directory, 'log')
    const rows = await write(log, history, salt)
    const whole = history.isKilled ? `${log}-killed` : log
    const copy = path.join(directory, 'whole')
    await copyLog(whole, copy)
    const store = await open(copy)
    logs.push(whole)
    wholes.push({ content: await readableContent(store), rows })
    dumps.push(await dumpStore(store))
    await store.close()
  }
  const [log = '', twin = ''] = logs
  const [ours, others] = wholes
  if (ours === undefined || others === undefined) throw new Error('two stores are written')
  return { log, twin, dump: dumps[0] ?? [], written: ours, twinWritten: others }
}

/** LevelDB replaces the files of a store that it opens, so that `link` will do; the witness is written in place. */
async function copyLog(from: string, to: string, put = copyFile): Promise<void> {
  await mkdir(to)
  for (const name of await readdir(from)) {
    if (!/^(LOCK|LOG|LOG\.old)$/.test(name)) await put(path.join(from, name), path.join(to, name))
  }
  await copyFile(witnessFile(from), witnessFile(to))
}

async function damage(kind: (typeof kinds)[number], log: string, twin: string): Promise<string | null> {
  if (kind === 'another store') {
    const names = (await readdir(log)).filter((name) => /^(\d+\.(log|ldb)|MANIFEST-\d+|CURRENT)$/.test(name))
    const name = names[below(names.length)] ?? ''
    const other = await readFile(path.join(twin, name)).catch(() => null)
    if (other === null || other.equals(await readFile(path.join(log, name)))) return null
    await rm(path.join(log, name))
    await writeFile(path.join(log, name), other)
    return `${name} is that of another store`
  }
  if (kind !== 'witness') return damageStore(log, kind, random)
  const file = witnessFile(log)
  const how = below(4)
  if (how === 0) await rm(file)
  else if (how === 1) await truncate(file, below(28))
  else if (how === 2) await copyFile(witnessFile(twin), file)
  else {
    const bytes = await readFile(file)
    const at = below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
    await writeFile(file, bytes)
  }
  return `the witness is damaged in the way ${String(how)}`
}

/** What a reader gets; or what is wrong with it. */
async function goOn(log: string, left: Left): Promise<string> {
  try {
    const store = await open(log)
    try {
      const dump = await dumpStore(store)
      return JSON.stringify(dump) === JSON.stringify(left.dump) ? 'as without damage' : 'wrong: something else is read'
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'corrupt-store') return 'corrupt-store'
    return `wrong: ${messageOf(error)}`
  }
}

async function salvage(log: string, left: Left): Promise<string> {
  const copy = `${log}-salvaged`
  try {
    const inspection = await inspectStore(log)
    if (inspection === null) return 'wrong: nothing is said to be there'
    // None of the stores is being cleared any more.
    if (inspection.survey.wiping) return 'wrong: a mark that was taken back is believed'
    await salvageStore(log, inspection, copy, systemRandom)
    const store = await open(copy)
    try {
      const content = await readableContent(store)
      let wrong = missingFrom(left.written, content)
      // The log as a whole may be the other one, which is said.
      const isForeign = inspection.survey.damages.includes(foreignWitness)
      if (wrong !== null && isForeign && missingFrom(left.twinWritten, content) === null) wrong = null
      return wrong === null ? 'corrupt-store, and salvaged' : `wrong: ${wrong}`
    } finally {
      await store.close()
    }
  } catch (error) {
    return `wrong: salvage: ${messageOf(error)}`
  } finally {
    await rm(copy, { recursive: true, force: true })
    await rm(witnessFile(copy), { force: true })
  }
}

const outcomes: Record<string, Record<string, number>> = {}
const wrong: string[] = []
const tried = async (left: Left, trial: number): Promise<boolean> => {
  const kind = kinds[trial % kinds.length] ?? 'bit'
  const log = path.join(place, 'trial')
  await copyLog(left.log, log, link)
  const what = await damage(kind, log, left.twin)
  if (what !== null) {
    let outcome = await goOn(log, left)
    // A copy takes longer than everything else.
    if (outcome === 'corrupt-store' && trial % 10 === 0) outcome = await salvage(log, left)
    const counts = (outcomes[kind] ??= {})
    counts[outcome] = (counts[outcome] ?? 0) + 1
    if (outcome.startsWith('wrong')) wrong.push(`${what}: ${outcome}`)
  }
  await rm(log, { recursive: true, force: true })
  await rm(witnessFile(log), { force: true })
  return what !== null
}

try {
  let left = await leave('0')
  for (let trial = 0, skipped = 0; trial < trials;) {
    if (await tried(left, trial)) trial += 1
    else skipped += 1
    if ((trial + skipped) % 250 === 0) left = await leave(`${String(trial)} ${String(skipped)}`)
  }
} finally {
  await rm(place, { recursive: true, force: true })
}
process.stdout.write(JSON.stringify({ outcomes, wrong } satisfies TrialReport))
