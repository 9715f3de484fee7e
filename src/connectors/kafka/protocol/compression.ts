import { promisify } from 'node:util'
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib'
import { TidemarkError } from '../../../core/errors.ts'

/** What we compress with. */
export type CompressionType = 'none' | 'gzip' | 'zstd'

/** As they stand in a batch's attributes. */
const codes: Readonly<Record<CompressionType, number>> = { none: 0, gzip: 1, zstd: 4 }
const refused: Readonly<Record<number, string>> = { 2: 'snappy', 3: 'lz4' }

/** A batch is at most some MiB before compression; what unpacks to more is a bomb. */
const maxUnpackedBytes = 256 * 1024 * 1024

const pack = { gzip: promisify(gzip), zstd: promisify(zstdCompress) }
const unpack = { gzip: promisify(gunzip), zstd: promisify(zstdDecompress) }

export function compressionCode(type: CompressionType): number {
  return codes[type]
}

export function compress(type: Exclude<CompressionType, 'none'>, bytes: Buffer): Promise<Buffer> {
  return pack[type](bytes)
}

/** Unpacks the records of a batch; `code` is not 0. Rejects with `unsupported-batch`. */
export async function decompress(code: number, bytes: Buffer, what: string): Promise<Buffer> {
  const type = code === codes.gzip ? 'gzip' : code === codes.zstd ? 'zstd' : null
  if (type === null) {
    const name = refused[code] ?? `codec ${String(code)}`
    throw new TidemarkError(
      'unsupported-batch',
      `${what} is compressed with ${name}, which is not supported. Let its producers use zstd, gzip or none (compression.type), or set compression.type=zstd on the topic, which makes the broker pack again what is written from then on`,
    )
  }
  try {
    return await unpack[type](bytes, { maxOutputLength: maxUnpackedBytes })
  } catch (error) {
    throw new TidemarkError('broken-invariant', `${what} cannot be unpacked with ${type}`, { cause: error })
  }
}
