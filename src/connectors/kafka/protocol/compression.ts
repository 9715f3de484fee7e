import { promisify } from 'node:util'
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib'
import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { unpackLz4 } from './unpackLz4.ts'
import { unpackSnappy } from './unpackSnappy.ts'

/** What we compress with. */
export type CompressionType = 'none' | 'gzip' | 'zstd'

/** As they stand in a batch's attributes. */
const codes: Readonly<Record<CompressionType, number>> = { none: 0, gzip: 1, zstd: 4 }
/** A batch is at most some MiB before compression; what unpacks to more is a bomb. */
const maxUnpackedBytes = 256 * 1024 * 1024

const pack = { gzip: promisify(gzip), zstd: promisify(zstdCompress) }
const unpackGzip = promisify(gunzip)
const unpackZstd = promisify(zstdDecompress)

/** What we read, by the code in a batch's attributes. */
const unpackers: Readonly<
  Record<number, { readonly name: string; unpack(bytes: Buffer, maxBytes: number): Buffer | Promise<Buffer> }>
> = {
  1: { name: 'gzip', unpack: (bytes, maxOutputLength) => unpackGzip(bytes, { maxOutputLength }) },
  2: { name: 'snappy', unpack: unpackSnappy },
  3: { name: 'lz4', unpack: unpackLz4 },
  4: { name: 'zstd', unpack: (bytes, maxOutputLength) => unpackZstd(bytes, { maxOutputLength }) },
}

export function compressionCode(type: CompressionType): number {
  return codes[type]
}

export function compress(type: Exclude<CompressionType, 'none'>, bytes: Buffer): Promise<Buffer> {
  return pack[type](bytes)
}

/** Unpacks the records of a batch; `code` is not 0. Rejects with `unsupported-batch` for a codec that Kafka does not have. */
export async function decompress(code: number, bytes: Buffer, what: string): Promise<Buffer> {
  const codec = unpackers[code]
  if (codec === undefined) {
    throw new TidemarkError(
      'unsupported-batch',
      `${what} is compressed with codec ${String(code)}, which is not one of Kafka's: none, gzip, snappy, lz4, zstd`,
    )
  }
  try {
    return await codec.unpack(bytes, maxUnpackedBytes)
  } catch (error) {
    throw new TidemarkError('broken-invariant', `${what} cannot be unpacked with ${codec.name}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
