import { messageOf, TidemarkError } from '../core/errors.ts'

/** One place where a LevelDB directory is not what LevelDB left. */
export interface LevelDamage {
  /** Relative to the directory. */
  readonly file: string
  /** In bytes; 0 where the file as a whole is meant. */
  readonly offset: number
  readonly reason: string
}

/** A part of a file that is not what LevelDB writes; the message is the reason. Never leaves this folder. */
export function unreadable(reason: string, offset?: number): TidemarkError {
  return new TidemarkError('corrupt-store', reason, offset === undefined ? {} : { details: { offset } })
}

/** What `read` throws about its bytes is said of this place of the file. */
export function readAt<T>(offset: number, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw unreadable(messageOf(error), offset)
  }
}

/** What was thrown by `unreadable`, as damage of this file; anything else is thrown on. */
export function damageOf(error: unknown, file: string): LevelDamage {
  if (!(error instanceof TidemarkError) || error.code !== 'corrupt-store') throw error
  return { file, offset: Number(error.details['offset'] ?? 0), reason: error.message }
}

/**
 * Reads LevelDB's numbers and slices one after the other. Whatever stands there, nothing is read or made that is longer than
 * the bytes themselves.
 *
 * @throws TidemarkError `corrupt-store`, with the reason only.
 */
export class DiskBytes {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw unreadable('it ends too early')
    this.#at += 1
    return byte
  }

  /** A number of seven bits a byte, the lowest first. */
  varint(): number {
    let value = 0
    for (let factor = 1; factor <= 0x80 ** 9; factor *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw unreadable('a number is larger than LevelDB makes any')
        return value
      }
    }
    throw unreadable('a number does not end')
  }

  /** The bytes themselves, not a copy. */
  take(length: number): Buffer {
    if (length > this.left) throw unreadable('it ends too early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** Bytes behind their length. */
  slice(): Buffer {
    return this.take(this.varint())
  }
}

/** Whether all of the bytes are zero. */
export function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

/** How LevelDB stores a CRC-32C: turned and moved, so that the CRC of bytes that hold CRCs is none of them. */
export function maskedCrc(crc: number): number {
  return ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) >>> 0
}
