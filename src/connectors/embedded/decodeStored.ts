import { isRight } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { TidemarkError } from '../../core/errors.ts'
import { parseStored } from '../../core/storedJson.ts'

/** Reads a small JSON entry of the store, or throws `corrupt-store`. */
export function decodeStored<A>(codec: t.Decoder<unknown, A>, bytes: Buffer, what: string): A {
  const decoded = codec.decode(parseStored(bytes))
  if (isRight(decoded)) return decoded.right
  throw new TidemarkError(
    'corrupt-store',
    `${what} in the embedded store cannot be read. Restore the data directory from a copy, or begin anew in another one with --data-dir`,
  )
}
