import { mkdir } from 'node:fs/promises'
import { messageOf, TidemarkError } from '../core/errors.ts'
import type { Logger } from '../core/ports/logger.ts'
import { outOfFiles } from '../core/outOfFiles.ts'
import type { ChangelogEntry } from '../core/ports/changelog.ts'
import { clearLevelDirectory } from '../files/clearOwn.ts'
import { fileFailure } from '../files/fileFailure.ts'
import type { LevelDamage } from '../leveldb/diskBytes.ts'
import { levelFault, openLevel, type LevelDatabase } from '../leveldb/openLevel.ts'
import { ValueSeal } from '../leveldb/valueSeal.ts'
import { verifyLevel } from '../leveldb/verifyLevel.ts'
import { localPositionKey } from './changelogKey.ts'
import {
  type StateStore,
  type StorePosition,
  decodeStorePosition,
  encodeStorePosition,
  isEarlierPosition,
} from './stateStore.ts'

/** A store has no id of its own: its files are verified against each other, and its slot is one task's. */
const seal = new ValueSeal()

export interface LevelStateStoreOptions {
  /** Told once when the directory is emptied because what stands in it cannot be trusted. */
  readonly log: Pick<Logger, 'warn'>
  /** Bytes of unsorted writes kept in memory, at most twice; default 4 MiB. */
  readonly writeBufferBytes?: number
}

/**
 * A state store in a LevelDB directory of its own, one per task. The directory is verified before LevelDB opens it, which
 * would leave out what it cannot read and say nothing, and every value has a checksum. Whatever is in doubt is emptied with
 * a line in the log, because all of it stands in the changelog: a directory at open, and one in which damage is met later
 * (`damaged-state`) with the next `wipe`.
 *
 * Nobody else may have the directory, also while it is verified: see `takeSlot`.
 *
 * Memory: twice `writeBufferBytes` and 8 MiB of blocks, outside the heap, whatever the size of the state; some MiB while it is verified.
 */
export class LevelStateStore implements StateStore {
  readonly directory: string
  readonly #options: LevelStateStoreOptions
  #db: LevelDatabase | null = null
  #position: StorePosition | null = null
  /** Why nothing is written any more. */
  #failed: TidemarkError | null = null
  /** True when the directory has to be made anew. */
  #damaged = false

  constructor(directory: string, options: LevelStateStoreOptions) {
    this.directory = directory
    this.#options = options
  }

  get position(): StorePosition | null {
    return this.#position
  }

  async open(): Promise<void> {
    try {
      const doubt = await doubtIn(this.directory)
      if (doubt !== null) await this.#remove(doubt)
      this.#db = await this.#openDirectory()
    } catch (error) {
      // Also a file that went after it was verified.
      if (!isDamage(error)) throw this.#cannotOpen(error)
      await this.#remove({ reason: levelFault(error).reason })
      this.#db = await this.#openDirectory()
    }
    this.#failed = null
    await this.#readPosition()
  }

  get(key: Buffer): Buffer | undefined {
    let sealed: Buffer | undefined
    try {
      sealed = this.#opened().getSync(key)
    } catch (error) {
      throw this.#failure(error)
    }
    if (sealed === undefined) return undefined
    const value = seal.open(key, sealed)
    if (value === null) throw this.#meetDamage({ reason: 'the checksum of a value is wrong' })
    return value
  }

  async firstKey(from: Buffer): Promise<Buffer | undefined> {
    try {
      const [key] = await this.#opened().keys({ gte: from, limit: 1 }).all()
      return key
    } catch (error) {
      throw this.#failure(error)
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
    const db = this.#opened()
    if (this.#damaged) {
      await db.close()
      await this.#removeDirectory()
      this.#db = await this.#openDirectory()
      return
    }
    await this.#writing(async () => {
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
        else batch.put(key, seal.seal(key, value))
      }
      if (position !== null) {
        batch.put(localPositionKey, seal.seal(localPositionKey, encodeStorePosition(position)))
      }
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
      throw (this.#failed = this.#failure(error))
    }
  }

  async #readPosition(): Promise<void> {
    this.#position = null
    let sealed: Buffer | undefined
    try {
      sealed = await this.#opened().get(localPositionKey)
    } catch (error) {
      throw this.#failure(error)
    }
    if (sealed === undefined) return
    const bytes = seal.open(localPositionKey, sealed)
    if (bytes !== null) {
      this.#position = decodeStorePosition(bytes)
      return
    }
    await this.close()
    const earlier = isEarlierPosition(sealed)
    await this.#remove({
      reason: earlier ? 'it is in the format of an earlier version' : 'the checksum of a value is wrong',
    })
    this.#db = await this.#openDirectory()
  }

  /** Tells once why, and forgets the directory. */
  async #remove(doubt: Doubt): Promise<void> {
    this.#tell(doubt)
    await this.#removeDirectory()
  }

  async #removeDirectory(): Promise<void> {
    await clearLevelDirectory(this.directory)
    this.#damaged = false
    this.#failed = null
  }

  #tell({ file, offset, reason }: Doubt): void {
    this.#options.log.warn('The local state cannot be trusted; it is restored from its changelog', {
      directory: this.directory,
      ...(file === undefined ? {} : { file, offset }),
      reason,
    })
  }

  async #openDirectory(): Promise<LevelDatabase> {
    const { writeBufferBytes } = this.#options
    await mkdir(this.directory, { recursive: true, mode: 0o700 })
    return openLevel(this.directory, {
      ...(writeBufferBytes === undefined ? {} : { writeBufferSize: writeBufferBytes }),
    })
  }

  #opened(): LevelDatabase {
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
    if (levelFault(error).kind === 'locked') {
      return new TidemarkError(
        'directory-in-use',
        `Another process holds the state in ${this.directory}. Stop it, or give this job another data.dir.`,
        { cause: error, details },
      )
    }
    return fileFailure(error, `The state in ${this.directory} cannot be opened`, details)
  }

  #failure(error: unknown): TidemarkError {
    if (error instanceof TidemarkError) return error
    const tooMany = outOfFiles(error, `The state in ${this.directory} cannot be read or written`)
    if (tooMany !== null) return tooMany
    if (isDamage(error)) return this.#meetDamage({ reason: levelFault(error).reason })
    return new TidemarkError(
      'disk-failed',
      `The state in ${this.directory} cannot be read or written (${messageOf(error)}). Is the disk full? Make room and start again; the directory may be deleted while the job is stopped, its content is read again from the changelog.`,
      { cause: error, details: { directory: this.directory } },
    )
  }

  /** What is there is given up: the next recovery finds no position, and wipes. */
  #meetDamage(doubt: Doubt): TidemarkError {
    if (!this.#damaged) this.#tell(doubt)
    this.#damaged = true
    this.#position = null
    // Nothing is added to it either.
    return (this.#failed = new TidemarkError(
      'damaged-state',
      `The state in ${this.directory} is damaged (${doubt.reason}); it is restored from its changelog. Check the disk if it happens again`,
      { details: { directory: this.directory } },
    ))
  }
}

/** Why a directory cannot be trusted. */
type Doubt = Partial<LevelDamage> & Pick<LevelDamage, 'reason'>

/** Also what a crash may leave: LevelDB would leave out the last batch, and the changelog has it. */
async function doubtIn(directory: string): Promise<LevelDamage | null> {
  const { damages, tornTail, tornManifest } = await verifyLevel(directory)
  return damages[0] ?? tornTail ?? tornManifest
}

/**
 * The position of a store that nobody has open; null when it has none, or cannot be trusted. Such a store is left as it is.
 */
export async function storedPosition(directory: string): Promise<StorePosition | null> {
  if ((await doubtIn(directory)) !== null) return null
  const db = await openLevel(directory)
  try {
    const sealed = await db.get(localPositionKey)
    const bytes = sealed === undefined ? null : seal.open(localPositionKey, sealed)
    return bytes === null ? null : decodeStorePosition(bytes)
  } finally {
    await db.close()
  }
}

/** Bytes that LevelDB cannot read, or a file of its own that is gone. */
function isDamage(error: unknown): boolean {
  const { kind } = levelFault(error)
  return kind === 'corrupt' || kind === 'file-gone'
}
