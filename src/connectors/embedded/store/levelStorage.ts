import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { outOfFiles } from '../../../core/outOfFiles.ts'
import { fileFailure } from '../../../files/fileFailure.ts'
import { levelFault, openLevel, type LevelDatabase } from '../../../leveldb/openLevel.ts'
import { damagedStore } from '../damage/damagedStore.ts'
import {
  keyAfter,
  type KeyRange,
  type ScanRequest,
  type Storage,
  type StorageEntry,
  type StorageOperation,
} from './storage.ts'
import { displayDamage, verifyStore, type VerifiedStore } from '../damage/verifyStore.ts'
import { readWitness, Witness, witnessFile, type FoundWitness } from '../damage/witness.ts'

/**
 * Measured (2 cores, 64 KiB log entries and 200,000 rows of 200 B): compression costs a third of the scan rate and half
 * of the row lookups; a larger write buffer gains nothing and makes opening slower, because it is replayed then.
 */
const tuning = {
  compression: false,
  cacheSize: 64 * 1024 * 1024,
  writeBufferSize: 4 * 1024 * 1024,
  maxFileSize: 8 * 1024 * 1024,
}

const asText = { valueEncoding: 'utf8' } as const

/** One page of keys ends with either; LevelDB makes room for as many as are asked for, and ends the process for want of it. */
const maxKeyBytes = 1024 * 1024
const maxKeys = 10_000

export interface LevelStorageOptions {
  /** What `verifyStore` has just found; default: it is asked here. */
  readonly verified?: VerifiedStore | undefined
  /** Told, in a sentence, of what a loss of power has left and is removed. */
  readonly note?: (line: string) => void
}

/**
 * Opens (or makes) a LevelDB directory whose files are whole: see `verifyStore`. Throws `directory-in-use` while another
 * process has it open, or had it since it was verified; `corrupt-store`, and `invalid-setting` for a place that cannot be
 * written.
 */
export async function openLevelStorage(directory: string, options: LevelStorageOptions = {}): Promise<Storage> {
  const { verified = await verifyStore(directory), note = () => undefined } = options
  const { witness, sequence, tornManifest } = verified
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    if (tornManifest !== null) {
      await cutFile(join(directory, tornManifest.file), tornManifest.offset)
      note(
        `${displayDamage(tornManifest, directory)}: the machine stopped while it was written. It is cut off there; nothing was lost`,
      )
    }
    const db = await openLevel(directory, tuning)
    try {
      await checkUnchanged(directory, witness)
    } catch (error) {
      await db.close()
      throw error
    }
    return new LevelStorage(db, new Witness(witnessFile(directory), witness, sequence))
  } catch (error) {
    throw openError(error, directory)
  }
}

/** Once nobody else can write any more: what was written since the store was read is not what was verified. */
async function checkUnchanged(directory: string, witness: FoundWitness): Promise<void> {
  if (isDeepStrictEqual(await readWitness(witnessFile(directory)), witness)) return
  throw new TidemarkError('directory-in-use', `Another process had ${directory} open just now. Try again`, {
    details: { path: directory },
  })
}

/** LevelDB goes past a last entry that the file ends in, and not past one with a page missing in it. */
async function cutFile(file: string, length: number): Promise<void> {
  const handle = await open(file, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    await handle.truncate(length)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

class LevelStorage implements Storage {
  readonly #db: LevelDatabase
  readonly #witness: Witness
  /** Why nothing is written any more. */
  #failed: TidemarkError | null = null

  constructor(db: LevelDatabase, witness: Witness) {
    this.#db = db
    this.#witness = witness
  }

  identify(storeId: string): Promise<void> {
    return this.#witness.identify(storeId)
  }

  get(key: Buffer): Buffer | undefined {
    try {
      return this.#db.getSync(key)
    } catch (error) {
      throw this.#failure('Reading', error)
    }
  }

  getText(key: Buffer): string | undefined {
    try {
      return this.#db.getSync<Buffer, string>(key, asText)
    } catch (error) {
      throw this.#failure('Reading', error)
    }
  }

  async scan(request: ScanRequest): Promise<readonly StorageEntry[]> {
    let { from } = request
    for (;;) {
      const keys = await this.#keys({ ...request, from })
      const last = keys.at(-1)
      const entries = this.#withValues(keys, request.maxBytes)
      if (last === undefined || entries.length > 0 || request.reverse === true) return entries
      // All of them were deleted since the keys were read.
      from = keyAfter(last)
    }
  }

  /**
   * After a write that failed there is none any more: it may have left a part of itself in LevelDB's log, and what came after
   * it, synced and acknowledged, would not be found at the next open. The next open drops that part, or finds it whole.
   */
  async write(operations: readonly StorageOperation[]): Promise<void> {
    if (this.#failed !== null) throw this.#failed
    await this.#witness.begin()
    try {
      await this.#db.batch([...operations], { sync: true })
    } catch (error) {
      throw this.#writeFailure('Writing', error)
    }
    this.#witness.written(operations.length)
  }

  /**
   * In writes like any other: LevelDB's own `clear` gives numbers to its deletions that the witness would not count, and
   * does not sync them, so that pages missing in their middle after a loss of power look like damage.
   */
  async clear({ from, to }: KeyRange): Promise<void> {
    if (this.#failed !== null) throw this.#failed
    let begin = from
    for (;;) {
      const keys = await this.#keys({ from: begin, to, limit: maxKeys })
      const last = keys.at(-1)
      if (last === undefined) break
      await this.write(keys.map((key) => ({ type: 'del', key })))
      begin = keyAfter(last)
    }
    try {
      // Gives the disk space back at once.
      await this.#db.compactRange?.(from, to ?? Buffer.alloc(16, 0xff))
    } catch (error) {
      throw this.#writeFailure('Clearing', error)
    }
  }

  async close(): Promise<void> {
    await this.#db.close()
    await this.#witness.close(this.#failed === null)
  }

  /**
   * An iterator of classic-level keeps what it read last until the garbage collector finds it, which with values was
   * measured to be gigabytes. So it reads keys alone; that it goes over the values all the same, on another thread, leaves
   * them in the page cache for the reads that follow.
   */
  async #keys({ from, to, limit, reverse = false }: Omit<ScanRequest, 'maxBytes'>): Promise<readonly Buffer[]> {
    const upper = to === null ? {} : { lt: to }
    const most = Math.min(limit, maxKeys)
    const iterator = this.#db.keys({ gte: from, ...upper, limit: most, reverse, highWaterMarkBytes: maxKeyBytes })
    try {
      return await iterator.nextv(most)
    } catch (error) {
      throw this.#failure('Reading', error)
    } finally {
      await iterator.close()
    }
  }

  #withValues(keys: readonly Buffer[], maxBytes: number): readonly StorageEntry[] {
    const entries: StorageEntry[] = []
    let bytes = 0
    for (const key of keys) {
      const value = this.get(key)
      // Undefined: deleted since the keys were read.
      if (value === undefined) continue
      entries.push([key, value])
      bytes += key.length + value.length
      if (bytes >= maxBytes) break
    }
    return entries
  }

  #failure(what: string, error: unknown): TidemarkError {
    const place = `the embedded log in ${this.#db.location}`
    const { kind } = levelFault(error)
    if (kind === 'corrupt') {
      return damagedStore(`${what} ${place} failed: ${messageOf(error)}`, { path: this.#db.location }, error)
    }
    const tooMany = outOfFiles(error, `${what} ${place} failed`)
    if (tooMany !== null) return tooMany
    const failed = `${what} ${place} failed: ${messageOf(error)}`
    if (kind === 'other')
      return new TidemarkError('system-unreachable', `${failed}; is the directory gone?`, { cause: error })
    const remedy =
      'Is the disk full? Make room and start again: what was committed is there, and the rest is done again'
    return new TidemarkError('disk-failed', `${failed}. ${remedy}`, {
      cause: error,
      details: { path: this.#db.location },
    })
  }

  #writeFailure(what: string, error: unknown): TidemarkError {
    const failure = this.#failure(what, error)
    if (failure.kind === 'guard' || failure.code === 'too-many-files') this.#failed = failure
    return failure
  }
}

function openError(error: unknown, directory: string): TidemarkError {
  if (error instanceof TidemarkError) return error
  const { kind, reason } = levelFault(error)
  const options = { cause: error, details: { path: directory } }
  if (kind === 'locked') {
    return new TidemarkError('directory-in-use', `Another process has ${directory} open`, options)
  }
  const place = `The embedded log in ${directory} cannot be opened`
  const tooMany = outOfFiles(error, place)
  if (tooMany !== null) return tooMany
  // A file that LevelDB wrote and does not find again is no fault of the place.
  if (kind === 'file-gone' || kind === 'corrupt')
    return damagedStore(`The embedded log in ${directory} is damaged: ${reason}`, { path: directory }, error)
  return fileFailure(error, place, { path: directory })
}
