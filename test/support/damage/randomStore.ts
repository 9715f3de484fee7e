import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Level } from 'level'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'

export type Content = Map<string, string>

export interface StoreShape {
  readonly seed: number
  readonly compression?: boolean
  /** How often the store is opened and written to. */
  readonly lives?: number
}

export interface RandomStore {
  readonly directory: string
  /** Keys and values, latin1. */
  readonly content: Content
  /** What stood in the store after each batch, by the number of its last write. */
  readonly history: ReadonlyMap<number, Content>
}

const temporaryPrefix = 'tidemark-level-'

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), temporaryPrefix))
}

/**
 * A store as LevelDB leaves it: opened and closed several times, with small limits, so that it has tables on more than one
 * level and a log; overwritten, deleted from, and with values that cross the blocks of the log.
 */
export async function writeRandomStore({ seed, compression = false, lives = 3 }: StoreShape): Promise<RandomStore> {
  const directory = path.join(await temporaryDirectory(), 'store')
  await mkdir(directory)
  const random = seededRandom(seed)
  const content: Content = new Map()
  const history = new Map<number, Content>([[0, new Map()]])
  let sequence = 0
  const below = (count: number): number => Math.floor(random.next() * count)
  for (let life = 0; life < lives; life += 1) {
    const db = new Level<Buffer, Buffer>(directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      compression,
      writeBufferSize: 64 * 1024,
      maxFileSize: 1024 * 1024,
      blockSize: 1024,
    })
    await db.open()
    for (let batches = 20 + below(20); batches > 0; batches -= 1) {
      const batch = db.batch()
      for (let writes = 1 + below(20); writes > 0; writes -= 1) {
        const key = `key ${String(below(400))}`
        sequence += 1
        if (below(5) === 0) {
          batch.del(Buffer.from(key))
          content.delete(key)
        } else {
          const size = below(60) === 0 ? below(100_000) : below(200)
          const value = Buffer.alloc(size, `${String(life)} ${String(batches)} ${String(below(1e9))} `).toString(
            'latin1',
          )
          batch.put(Buffer.from(key), Buffer.from(value, 'latin1'))
          content.set(key, value)
        }
      }
      await batch.write({ sync: below(10) === 0 })
      history.set(sequence, new Map(content))
    }
    await db.close()
  }
  return { directory, content, history }
}

/** All of what a store holds, as LevelDB reads it. */
export async function readStore(directory: string): Promise<Content> {
  const db = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await db.open()
  try {
    const entries = await db.iterator().all()
    return new Map(entries.map(([key, value]) => [key.toString('latin1'), value.toString('latin1')]))
  } finally {
    await db.close()
  }
}

export async function copyStore(from: string): Promise<string> {
  const to = path.join(await temporaryDirectory(), 'store')
  await mkdir(to)
  for (const name of await readdir(from)) await copyFile(path.join(from, name), path.join(to, name))
  return to
}

/** Removes a store with the temporary directory that it stands in, and never anything else. */
export async function removeStore(directory: string): Promise<void> {
  const made = path.dirname(directory)
  if (path.dirname(made) !== path.resolve(tmpdir()) || !path.basename(made).startsWith(temporaryPrefix)) {
    throw new Error(`${directory} does not stand in a directory that temporaryDirectory made`)
  }
  await rm(made, { recursive: true, force: true })
}
