import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { Level } from 'level'
import { changelogTopicName } from '../../../src/core/ownNames.ts'
import { commitKey, lineageKey, localPositionKey } from '../../../src/state/changelogKey.ts'
import { ValueSeal } from '../../../src/leveldb/valueSeal.ts'
import { partitions, type FaultRun } from './faultRun.ts'

/** Keyed state by its key in the changelog, both in hexadecimal. */
export type StateEntries = ReadonlyMap<string, string>

/** What the local stores of stopped processes hold, all tasks together. */
export async function localState(dataDirectory: string): Promise<StateEntries> {
  const found = new Map<string, string>()
  for (const directory of await stores(dataDirectory)) {
    const db = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    for await (const [key, sealed] of db.iterator()) {
      if (key.equals(localPositionKey)) continue
      // One that is not what was stored is nothing that a replay makes.
      found.set(key.toString('hex'), new ValueSeal().open(key, sealed)?.toString('hex') ?? 'damaged')
    }
    await db.close()
  }
  return found
}

/** What a replay of the changelog makes: the last committed value of each key. */
export async function replayedState(run: FaultRun, job: string): Promise<StateEntries> {
  const found = new Map<string, string>()
  const topic = changelogTopicName({ job, group: 'source' })
  for (let partition = 0; partition < partitions; partition += 1) {
    for (const { key, raw } of await run.world.readAll(topic, partition)) {
      if (key === null || key.equals(lineageKey) || key.equals(commitKey)) continue
      if (raw === null) found.delete(key.toString('hex'))
      else found.set(key.toString('hex'), raw.toString('hex'))
    }
  }
  return found
}

/** The LevelDB directories below, without those that are only locks. */
async function stores(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  if (entries.some(({ name }) => name === 'CURRENT')) return path.basename(directory) === 'slot' ? [] : [directory]
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => stores(path.join(directory, name)))
  return (await Promise.all(below)).flat()
}
