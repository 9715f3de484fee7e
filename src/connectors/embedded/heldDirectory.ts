import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { asTidemarkError, type TidemarkError } from '../../core/errors.ts'
import { dataDirectory, makeSocketDirectory, type DataDirectory } from './dataDirectory.ts'
import { EmbeddedStore, type EmbeddedStoreOptions } from './embeddedStore.ts'
import { decodeHolder, encodeHolder, type Holder } from './holder.ts'
import { StoreServer } from './storeServer.ts'

/**
 * A data directory that this process holds. LevelDB's lock decides who holds it and ends with the process, however it
 * ends; `holder.json` and the socket only tell others whom to ask, so what a killed process leaves of them does no harm.
 */
export class HeldDirectory {
  readonly store: EmbeddedStore
  readonly #paths: DataDirectory
  readonly #holder: Holder
  #server: StoreServer | null = null

  private constructor(store: EmbeddedStore, paths: DataDirectory, holder: Holder) {
    this.store = store
    this.#paths = paths
    this.#holder = holder
  }

  /** Throws `directory-in-use` at once when another process holds it; else as `EmbeddedStore.open`. */
  static async open(
    directory: string,
    owner: Pick<Holder, 'kind' | 'job'>,
    options: EmbeddedStoreOptions,
  ): Promise<HeldDirectory> {
    const paths = dataDirectory(directory)
    try {
      await mkdir(paths.path, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw cannotUse(error, paths)
    }
    const store = await EmbeddedStore.open(paths.log, options)
    const holder = { ...owner, pid: process.pid, socket: paths.socket }
    try {
      await makeSocketDirectory(paths)
      const next = `${paths.holderFile}.next`
      await writeFile(next, encodeHolder(holder), { mode: 0o600 })
      await rename(next, paths.holderFile)
    } catch (error) {
      await store.close()
      throw cannotUse(error, paths)
    }
    return new HeldDirectory(store, paths, holder)
  }

  /** Answers other processes from now on. */
  async serve(): Promise<void> {
    this.#server ??= await StoreServer.listen(this.store, this.#holder)
  }

  /** Answers what was asked so far, then lets the directory go. */
  async close(): Promise<void> {
    await this.#server?.close()
    this.#server = null
    await rm(this.#paths.holderFile, { force: true })
    await this.store.close()
  }
}

function cannotUse(error: unknown, { path }: DataDirectory): TidemarkError {
  return asTidemarkError(
    error,
    'invalid-setting',
    `The data directory ${path} cannot be used (set data.dir to one that can be written)`,
  )
}

/** Who holds a directory, as far as its file tells; null when nobody living is named there. */
export async function readHolder({ holderFile }: DataDirectory): Promise<Holder | null> {
  try {
    const holder = decodeHolder(await readFile(holderFile, 'utf8'))
    return holder !== null && isAlive(holder.pid) ? holder : null
  } catch {
    return null
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It lives, and belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
