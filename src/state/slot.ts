import { lstat, readdir, rename, realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { isRight } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { TidemarkError } from '../core/errors.ts'
import type { Random } from '../core/ports/random.ts'
import { makeLevelDirectory, makeOwnDirectory } from '../files/makeOwnDirectory.ts'
import { readOwnFile } from '../files/ownership.ts'
import { replaceFile } from '../files/replaceFile.ts'
import { lockDirectory, type DirectoryLock } from '../leveldb/lockDirectory.ts'
import { storedPosition } from './levelStateStore.ts'

/** More processes of one job than a machine runs. */
const maxSlots = 1024

/**
 * A process's place for the local state of a job. Several processes of one job share a directory, each in a slot of its
 * own, so that a second terminal just joins. The lock is LevelDB's, which the operating system releases when the process
 * dies, whatever the reason.
 */
export class Slot {
  readonly number: number
  readonly directory: string
  /** Of all slots. */
  readonly #directory: string
  readonly #lock: DirectoryLock

  constructor(directory: string, number: number, lock: DirectoryLock) {
    this.#directory = directory
    this.directory = path.join(directory, String(number))
    this.number = number
    this.#lock = lock
  }

  /**
   * The directory of a task's store in this slot. A whole store of that task in a slot that nobody holds is adopted, the
   * one of the latest epoch, when this slot has none: tasks move between processes, and a restore from the start is saved.
   */
  async storeDirectory(task: string): Promise<string> {
    const own = path.join(this.directory, task)
    if (!(await isDirectory(own))) await this.#adopt(task, own)
    return makeLevelDirectory(this.directory, [task])
  }

  async close(): Promise<void> {
    await this.#lock.release()
  }

  async #adopt(task: string, own: string): Promise<void> {
    let best: { readonly directory: string; readonly epoch: number } | null = null
    const locks: DirectoryLock[] = []
    try {
      for (const number of await slotsIn(this.#directory)) {
        const directory = path.join(this.#directory, String(number), task)
        if (number === this.number || !(await isDirectory(directory))) continue
        const lock = await tryLock(this.#directory, number)
        if (lock === null) continue
        locks.push(lock)
        await makeLevelDirectory(path.join(this.#directory, String(number)), [task])
        const epoch = (await storedPosition(directory))?.epoch ?? null
        if (epoch !== null && (best === null || epoch > best.epoch)) best = { directory, epoch }
      }
      if (best !== null) await rename(best.directory, own)
    } finally {
      for (const lock of locks) await lock.release()
    }
  }
}

/**
 * Takes the first free slot under `directory`, or the named one.
 *
 * @throws TidemarkError `directory-in-use` when the named slot is held, or all are; `disk-failed` when it cannot be made;
 * `unsafe-path` where another user has been, or a link stands in its way.
 */
export async function takeSlot(directory: string, named: number | null): Promise<Slot> {
  const candidates = named === null ? Array.from({ length: maxSlots }, (_, slot) => slot) : [named]
  for (const number of candidates) {
    const lock = await tryLock(directory, number)
    if (lock !== null) return new Slot(directory, number, lock)
  }
  throw new TidemarkError(
    'directory-in-use',
    named === null
      ? `All ${String(maxSlots)} slots under ${directory} are held by other processes of this job. Stop some of them`
      : `Slot ${String(named)} under ${directory} is held by another process of this job. Leave the slot out, to take the first free one`,
    { details: { directory, slot: named } },
  )
}

async function tryLock(directory: string, number: number): Promise<DirectoryLock | null> {
  await makeOwnDirectory(directory, [String(number)])
  return lockDirectory(path.join(directory, String(number), 'slot'))
}

async function slotsIn(directory: string): Promise<readonly number[]> {
  const names = await readdir(directory)
  return names.filter((name) => /^\d{1,4}$/.test(name)).map(Number)
}

async function isDirectory(place: string): Promise<boolean> {
  try {
    return (await lstat(place)).isDirectory()
  } catch {
    // Absent, or taken by another process between two looks: not ours either way.
    return false
  }
}

const fileName = 'instance.json'
const maxInstanceBytes = 64 * 1024

/** Who has the id, and where it was made: a copy of the directory is another process, and must not take its place. */
const storedInstance = t.strict({
  version: t.literal(1),
  id: t.string,
  host: t.string,
  directory: t.string,
})

/** What Kafka takes for a `group.instance.id`. */
const legalId = /^[\w.-]{1,249}$/

/**
 * The id by which the process in this slot is known again after its death: random, made at the first call and kept in the
 * slot's directory. On another host or under another path, as of a copied directory, it is made anew. The caller holds the
 * slot, so nobody else writes it.
 */
export async function slotInstanceId(
  slotDirectory: string,
  random: Pick<Random, 'hex'>,
  host: string = hostname(),
): Promise<string> {
  const directory = await realpath(slotDirectory)
  const file = path.join(directory, fileName)
  const stored = await readStored(file)
  if (stored?.host === host && stored.directory === directory) return stored.id
  const id = `tidemark-${random.hex(8)}`
  const instance = { version: 1, id, host, directory } satisfies t.TypeOf<typeof storedInstance>
  await replaceFile(file, JSON.stringify(instance), { durable: true })
  return id
}

/** Null where there is none, or none that can be read: then the process is a new one. */
async function readStored(file: string): Promise<t.TypeOf<typeof storedInstance> | null> {
  try {
    const decoded = storedInstance.decode(JSON.parse((await readOwnFile(file, maxInstanceBytes)) ?? ''))
    return isRight(decoded) && legalId.test(decoded.right.id) ? decoded.right : null
  } catch {
    return null
  }
}
