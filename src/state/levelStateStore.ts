import { Level } from 'level'
import { messageOf, TidemarkError } from '../core/errors.ts'
import { outOfFiles } from '../core/outOfFiles.ts'
import type { ChangelogEntry } from '../core/taskLog.ts'
import { clearLevelDirectory } from '../files/clearOwn.ts'
import { fileFailure } from '../files/fileFailure.ts'
import { localPositionKey } from './changelogKey.ts'
import type { StateStore, StorePosition } from './stateStore.ts'
import { decodeStorePosition, encodeStorePosition } from './storePosition.ts'

export interface LevelStateStoreOptions {
  /** Bytes of uncompressed blocks kept in memory, outside the heap; default 8 MiB. A process holds one store per task. */
  readonly cacheBytes?: number
  /** Bytes of unsorted writes kept in memory, at most twice; default 4 MiB. */
  readonly writeBufferBytes?: number
}

/**
 * A state store in a LevelDB directory of its own, one per task. A damaged directory is emptied at open, because all of
 * it stands in the changelog; damage that is met later stops the job.
 *
 * Memory: twice `writeBufferBytes` and `cacheBytes`, outside the heap, whatever the size of the state.
 */
export class LevelStateStore implements StateStore {
  readonly directory: string
  readonly #options: LevelStateStoreOptions
  #db: Level<Buffer, Buffer> | null = null
  #position: StorePosition | null = null
  /** Why nothing is written any more. */
  #failed: TidemarkError | null = null

  constructor(directory: string, options: LevelStateStoreOptions = {}) {
    this.directory = directory
    this.#options = options
  }

  get position(): StorePosition | null {
    return this.#position
  }

  async open(): Promise<void> {
    try {
      this.#db = await this.#openDirectory()
    } catch (error) {
      if (!isDamage(error)) throw this.#cannotOpen(error)
      await clearLevelDirectory(this.directory)
      this.#db = await this.#openDirectory()
    }
    this.#failed = null
    const bytes = await this.#db.get(localPositionKey)
    this.#position = bytes === undefined ? null : decodeStorePosition(bytes)
  }

  get(key: Buffer): Buffer | undefined {
    try {
      return this.#opened().getSync(key)
    } catch (error) {
      throw this.#damaged(error)
    }
  }

  async firstKey(from: Buffer): Promise<Buffer | undefined> {
    try {
      const [key] = await this.#opened().keys({ gte: from, limit: 1 }).all()
      return key
    } catch (error) {
      throw this.#damaged(error)
    }
  }

  async apply(delta: readonly ChangelogEntry[], position: StorePosition): Promise<void> {
    await this.#write(delta, position)
    this.#position = position
  }

  load(part: readonly ChangelogEntry[]): Promise<void> {
    return this.#write(part, null)
  }

  async wipe(): Promise<void> {
    await this.#writing(async () => {
      const db = this.#opened()
      this.#position = null
      // First, and in a write of its own: a crash while the values go must not leave a position that vouches for them.
      await db.del(localPositionKey)
      await db.clear()
    })
  }

  async close(): Promise<void> {
    await this.#db?.close()
    this.#db = null
  }

  #write(entries: readonly ChangelogEntry[], position: StorePosition | null): Promise<void> {
    return this.#writing(() => {
      const batch = this.#opened().batch()
      for (const { key, value } of entries) {
        if (value === null) batch.del(key)
        else batch.put(key, value)
      }
      if (position !== null) batch.put(localPositionKey, encodeStorePosition(position))
      return batch.write()
    })
  }

  /**
   * After a write that failed there is none any more: it may have left a part of itself in LevelDB's log, and what came after
   * it would not be found at the next open, whatever position a later write had noted.
   */
  async #writing(write: () => Promise<void>): Promise<void> {
    if (this.#failed !== null) throw this.#failed
    try {
      await write()
    } catch (error) {
      throw (this.#failed = this.#damaged(error))
    }
  }

  async #openDirectory(): Promise<Level<Buffer, Buffer>> {
    const { cacheBytes, writeBufferBytes } = this.#options
    const db = new Level<Buffer, Buffer>(this.directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      ...(cacheBytes === undefined ? {} : { cacheSize: cacheBytes }),
      ...(writeBufferBytes === undefined ? {} : { writeBufferSize: writeBufferBytes }),
    })
    await db.open()
    return db
  }

  #opened(): Level<Buffer, Buffer> {
    if (this.#db === null) {
      throw new TidemarkError(
        'broken-invariant',
        `The state store in ${this.directory} was used while it was not open.`,
      )
    }
    return this.#db
  }

  #cannotOpen(error: unknown): TidemarkError {
    const details = { directory: this.directory }
    if (causeCode(error) === 'LEVEL_LOCKED') {
      return new TidemarkError(
        'directory-in-use',
        `Another process holds the state in ${this.directory}. Stop it, or give this job another data.dir.`,
        { cause: error, details },
      )
    }
    return fileFailure(error, `The state in ${this.directory} cannot be opened`, details)
  }

  #damaged(error: unknown): TidemarkError {
    if (error instanceof TidemarkError) return error
    const tooMany = outOfFiles(error, `The state in ${this.directory} cannot be read or written`)
    if (tooMany !== null) return tooMany
    const full = error instanceof Error && 'code' in error && error.code === 'LEVEL_IO_ERROR'
    return new TidemarkError(
      full ? 'disk-failed' : 'corrupt-store',
      `The state in ${this.directory} cannot be read or written (${messageOf(error)}). ${full ? 'Is the disk full? Make room and start again' : 'Check the disk'}; the directory may be deleted while the job is stopped, its content is read again from the changelog.`,
      { cause: error, details: { directory: this.directory } },
    )
  }
}

/** LevelDB's own reason: it stands in the cause of `LEVEL_DATABASE_NOT_OPEN`. */
function causeCode(error: unknown): unknown {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
}

/** Bytes that LevelDB cannot read, or a file of its own that is gone. */
function isDamage(error: unknown): boolean {
  const code = causeCode(error)
  if (code !== 'LEVEL_IO_ERROR') return code === 'LEVEL_CORRUPTION'
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return /No such file or directory/.test(messageOf(cause))
}
