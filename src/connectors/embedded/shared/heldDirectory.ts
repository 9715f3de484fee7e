import { rm } from 'node:fs/promises'
import { sleep, type Clock } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { isAlive, statsOf, thisProcess, readOwnFile } from '../../../files/ownership.ts'
import { fileFailure } from '../../../files/fileFailure.ts'
import { makeLevelDirectory } from '../../../files/makeOwnDirectory.ts'
import { nothingYet, openDataDirectory, type DataDirectoryOptions } from '../../../files/openDataDirectory.ts'
import { replaceFile } from '../../../files/replaceFile.ts'
import { removeAbandonedSockets, isElsewhere, makeRoomForSocket, removeSocket } from './controlSocket.ts'
import {
  dataDirectory,
  decodeHolder,
  displayHolder,
  encodeHolder,
  sameHolder,
  type DataDirectory,
  type Holder,
} from './holder.ts'
import { EmbeddedStore, type EmbeddedStoreOptions } from '../store/embeddedStore.ts'
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
    const { purpose = 'write', viewer = thisProcess, note = () => undefined } = options
    let verified: VerifiedStore | undefined
    const path = await openDataDirectory(directory, {
      purpose,
      viewer,
      note,
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
    const openStorage = (log: string): Promise<Storage> => openLevelStorage(log, { verified, note })
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

/** How long a job waits for a command, and a command for a holder that does not answer yet. */
export const holderWaitMs = 15_000
const firstDelayMs = 5
const maxDelayMs = 100
/** A job that is named for so long and does not answer is starting, or busy: it holds the directory all the same. */
const silentJobMs = 500

/**
 * Takes a data directory for a job, for as long as the job runs. A command that holds it is waited for, up to 15 s; another
 * job is not: throws `directory-in-use` at once, naming process and job. Call `serve()` so that commands work meanwhile.
 */
export async function holdForJob(
  directory: string,
  job: string,
  options: HeldDirectoryOptions,
): Promise<HeldDirectory> {
  const { clock } = options
  const paths = dataDirectory(directory)
  const beganMs = clock.monotonicMs()
  let named: Holder | null = null
  let namedSinceMs = beganMs
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, maxDelayMs)) {
    try {
      return await HeldDirectory.open(directory, { kind: 'job', job }, options)
    } catch (error) {
      if (!isInUse(error)) throw error
    }
    const holder = await readHolder(paths)
    if (holder?.kind === 'job') {
      const answered = await new StoreClient(holder.socket, clock).holder(answerTimeoutMs)
      if (!sameHolder(named, holder)) {
        named = holder
        namedSinceMs = clock.monotonicMs()
      }
      const isSure =
        (answered !== 'busy' && sameHolder(answered, holder)) || clock.monotonicMs() - namedSinceMs >= silentJobMs
      if (isSure) throw directoryInUse(paths.path, holder)
    }
    if (clock.monotonicMs() - beganMs >= holderWaitMs) throw directoryInUse(paths.path, holder)
    await sleep(clock, delayMs)
  }
}

export function isInUse(error: unknown): boolean {
  return error instanceof TidemarkError && error.code === 'directory-in-use'
}

export function directoryInUse(path: string, holder: Holder | null): TidemarkError {
  const who = displayHolder(holder)
  return new TidemarkError(
    'directory-in-use',
    `The data directory ${path} is held by ${who}. Stop it, or choose another directory with --data-dir`,
    { details: { path, pid: holder?.pid ?? null, job: holder?.job ?? null } },
  )
}
