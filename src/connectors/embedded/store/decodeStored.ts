import { isRight } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { parseStored } from '../../../core/storedJson.ts'
import { damagedStore } from '../damage/damagedStore.ts'

/** Reads a small JSON entry of the store, or throws `corrupt-store`. */
export function decodeStored<A>(codec: t.Decoder<unknown, A>, bytes: Buffer, what: string): A {
  const decoded = codec.decode(parseStored(bytes))
  if (isRight(decoded)) return decoded.right
  throw damagedStore(`${what} in the embedded store cannot be read`)
}
