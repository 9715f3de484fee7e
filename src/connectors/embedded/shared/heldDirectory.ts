import { rm } from 'node:fs/promises'
import type { Clock } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { isAlive } from '../../../core/isAlive.ts'
import { fileFailure } from '../../../files/fileFailure.ts'
import { makeLevelDirectory } from '../../../files/makeLevelDirectory.ts'
import { nothingYet, openDataDirectory, type DataDirectoryOptions } from '../../../files/openDataDirectory.ts'
import { statsOf, thisProcess } from '../../../files/ownership.ts'
import { readOwnFile } from '../../../files/readOwnFile.ts'
import { replaceFile } from '../../../files/replaceFile.ts'
import { removeAbandonedSockets } from './abandonedSockets.ts'
import { isElsewhere, makeRoomForSocket, removeSocket } from './controlSocket.ts'
import { dataDirectory, type DataDirectory } from './dataDirectory.ts'
import { EmbeddedStore, type EmbeddedStoreOptions } from '../store/embeddedStore.ts'
import { decodeHolder, displayHolder, encodeHolder, sameHolder, type Holder } from './holder.ts'
import { openLevelStorage } from '../store/levelStorage.ts'
import type { Storage } from '../store/storage.ts'
import { StoreClient } from './storeClient.ts'
import { StoreServer } from './storeServer.ts'
import { verifyStore, type VerifiedStore } from '../damage/verifyStore.ts'

const maxHolderBytes = 64 * 1024
const answerTimeoutMs = 1_000

export interface HeldDirectoryOptions extends EmbeddedStoreOptions, Partial<DataDirectoryOptions> {}

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

  /**
   * Throws `directory-in-use` at once when another process holds it; else as `openDataDirectory` and `EmbeddedStore.open`.
   * Without `purpose: 'read'` the directory is made where it is missing.
   */
  static async open(
    directory: string,
    owner: Pick<Holder, 'kind' | 'job'>,
    options: HeldDirectoryOptions,
  ): Promise<HeldDirectory> {
    const { purpose = 'write', viewer = thisProcess, note } = options
    let verified: VerifiedStore | undefined
    const path = await openDataDirectory(directory, {
      purpose,
      viewer,
      ...(note === undefined ? {} : { note }),
      admit: async (found) => {
        const { log } = dataDirectory(found)
        if ((await statsOf(log, viewer)) !== null) await makeLevelDirectory(found, ['log'], viewer)
        await refuseHeld(dataDirectory(found), options.clock)
        verified = await verifyStore(log)
      },
    })
    const paths = dataDirectory(path)
    try {
      if (purpose === 'read' && (await statsOf(paths.log, viewer)) === null) throw nothingYet(path)
      await makeLevelDirectory(path, ['log'], viewer)
    } catch (error) {
      throw cannotUse(error, paths)
    }
    const openStorage = (log: string): Promise<Storage> =>
      openLevelStorage(log, { verified, ...(note === undefined ? {} : { note }) })
    const store = await EmbeddedStore.open(paths.log, { openStorage, ...options })
    const holder = { ...owner, pid: process.pid, socket: paths.socket }
    try {
      await replaceFile(paths.holderFile, encodeHolder(holder))
    } catch (error) {
      await store.close()
      throw cannotUse(error, paths)
    }
    return new HeldDirectory(store, paths, holder)
  }

  /** Of the directory: absolute, and no link. */
  get path(): string {
    return this.#paths.path
  }

  /** Answers other processes from now on. */
  async serve(): Promise<void> {
    if (this.#server !== null) return
    const { path, socket } = this.#paths
    const { clock } = this.store
    if (this.#holder.kind === 'job' || isElsewhere(path, socket)) await removeAbandonedSockets(clock)
    await makeRoomForSocket(path, socket)
    this.#server = await StoreServer.listen(this.store, this.#holder)
  }

  /** Answers what was asked so far, then lets the directory go. */
  async close(): Promise<void> {
    const { path, socket, holderFile } = this.#paths
    await this.#server?.close()
    if (this.#server !== null) await removeSocket(path, socket)
    this.#server = null
    await rm(holderFile, { force: true })
    await this.store.close()
  }
}

/** Before all files are read: whoever holds it answers. One that does not is met at LevelDB's lock. */
export async function refuseHeld(paths: DataDirectory, clock: Clock): Promise<void> {
  const holder = await readHolder(paths)
  if (holder === null) return
  const answered = await new StoreClient(holder.socket, clock).holder(answerTimeoutMs)
  if (answered !== 'busy' && !sameHolder(answered, holder)) return
  throw new TidemarkError('directory-in-use', `${displayHolder(holder)} has ${paths.path} open`)
}

function cannotUse(error: unknown, { path }: DataDirectory): Error {
  return fileFailure(error, `The data directory ${path} cannot be used`, { path })
}

/** Who holds a directory, as far as its file tells; null when nobody living is named there. */
export async function readHolder({ holderFile }: DataDirectory): Promise<Holder | null> {
  try {
    const text = await readOwnFile(holderFile, maxHolderBytes)
    const holder = text === null ? null : decodeHolder(text)
    return holder !== null && isAlive(holder.pid) ? holder : null
  } catch {
    return null
  }
}
