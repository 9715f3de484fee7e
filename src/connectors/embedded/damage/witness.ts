import { constants, writeSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { fileFailure } from '../../../files/fileFailure.ts'
import { checkOwn } from '../../../files/ownership.ts'
import { syncDirectory } from '../../../files/replaceFile.ts'
import { damagedStore } from './damagedStore.ts'

/**
 * What the file beside the log says:
 *
 *     'TMW1' | 1 when the store was closed, else 0 (4) | store id (8) | number of the last write (8) | crc32 (4)
 *
 * LevelDB numbers each change that it is given. After each synced write the number reached is written here, in place and
 * without a sync: so the number is that of a write which was durable, and a log that ends before it has lost what was
 * acknowledged. A process that is killed leaves the very last number; a machine that loses its power may leave an older one.
 */
const magic = 'TMW1'

/** Ends a sentence about a store. */
export const foreignWitness =
  'the log is that of another store than the witness beside it (log.witness); where the log is the right one, remove the witness'
const witnessBytes = 4 + 4 + 8 + 8 + 4
const crcAt = witnessBytes - 4

export interface WitnessState {
  readonly storeId: string
  /** All writes up to this one were durable. */
  readonly sequence: number
  /** The store was closed and not written since: nothing may be torn. */
  readonly closed: boolean
}

/** `none`: there is no such file. `damaged`: it is not what was written. */
export type FoundWitness = 'none' | 'damaged' | WitnessState

export function witnessFile(logDirectory: string): string {
  return `${logDirectory}.witness`
}

export async function readWitness(file: string): Promise<FoundWitness> {
  if ((await checkOwn(file, 'file', { isShared: false })) === null) return 'none'
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const bytes = Buffer.alloc(witnessBytes + 1)
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0)
    return decode(bytes.subarray(0, bytesRead)) ?? 'damaged'
  } finally {
    await handle.close()
  }
}

/** The witness of an open store. It is written to when the store is, and not by whoever only reads. */
export class Witness {
  readonly #file: string
  readonly #found: FoundWitness
  #storeId: string | null = null
  #sequence: number
  /** Open for writing, and marked as such on disk. */
  #handle: FileHandle | null = null
  #beginning: Promise<void> | null = null
  readonly #bytes = Buffer.alloc(witnessBytes)

  constructor(file: string, found: FoundWitness, sequence: number) {
    this.#file = file
    this.#found = found
    this.#sequence = sequence
  }

  /** Says whose witness it is, once the store tells. Throws `corrupt-store` where the file is that of another store. */
  async identify(storeId: string): Promise<void> {
    const found = this.#found
    if (typeof found === 'object' && found.storeId !== storeId) {
      throw damagedStore(`The embedded store beside ${this.#file} is damaged: ${foreignWitness}`, { path: this.#file })
    }
    this.#storeId = storeId
    if (typeof found !== 'object') await this.begin()
  }

  /** Before a write: the store is not closed any more. */
  begin(): Promise<void> {
    if (this.#handle !== null || this.#storeId === null) return Promise.resolve()
    // Tasks that compact their changelogs write at the same time.
    this.#beginning ??= this.#mark().finally(() => {
      this.#beginning = null
    })
    return this.#beginning
  }

  async #mark(): Promise<void> {
    try {
      const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants
      const handle = await open(this.#file, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
      try {
        await handle.write(this.#encode(false), 0, witnessBytes, 0)
        await handle.truncate(witnessBytes)
        await handle.sync()
        if (this.#found === 'none') await syncDirectory(dirname(this.#file))
      } catch (error) {
        await handle.close()
        throw error
      }
      this.#handle = handle
    } catch (error) {
      throw fileFailure(error, `The witness ${this.#file} cannot be written`, { path: this.#file })
    }
  }

  /** After a write of so many changes. A disk that refuses these bytes leaves an older number, which is true as well. */
  written(changes: number): void {
    this.#sequence += changes
    if (this.#handle === null) return
    try {
      writeSync(this.#handle.fd, this.#encode(false), 0, witnessBytes, 0)
    } catch {
      // The write itself is durable: nothing has failed but what would have watched over it.
    }
  }

  /** After the store was closed. `whole`: nothing has failed, so that nothing may be torn. */
  async close(whole: boolean): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    if (handle === null) return
    try {
      if (whole) {
        await handle.write(this.#encode(true), 0, witnessBytes, 0)
        await handle.sync()
      }
    } catch (error) {
      throw fileFailure(error, `The witness ${this.#file} cannot be written`, { path: this.#file })
    } finally {
      await handle.close()
    }
  }

  #encode(closed: boolean): Buffer {
    const bytes = this.#bytes
    bytes.write(magic, 'latin1')
    bytes.writeUInt32BE(closed ? 1 : 0, 4)
    bytes.write(this.#storeId ?? '', 8, 'hex')
    bytes.writeBigUInt64BE(BigInt(this.#sequence), 16)
    bytes.writeUInt32BE(crc32(bytes.subarray(0, crcAt)), crcAt)
    return bytes
  }
}

function decode(bytes: Buffer): WitnessState | null {
  if (bytes.length !== witnessBytes || bytes.toString('latin1', 0, 4) !== magic) return null
  if (crc32(bytes.subarray(0, crcAt)) !== bytes.readUInt32BE(crcAt)) return null
  return {
    storeId: bytes.toString('hex', 8, 16),
    sequence: Number(bytes.readBigUInt64BE(16)),
    closed: bytes.readUInt32BE(4) === 1,
  }
}
