import { isRight } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { TidemarkError, type ErrorDetails } from '../../../core/errors.ts'
import { formatPosition } from '../../../core/record.ts'
import { parseStored } from '../../../core/storedJson.ts'

/** What to do about damage of the embedded store; ends a message. */
export const damageRemedy =
  'Restore the data directory from a copy; `npx tidemark store check` says what is damaged, and `npx tidemark store salvage <new directory>` copies what is whole (each with the --data-dir that the job has)'

/** `what` is a sentence without its full stop: what is damaged, and how. */
export function damagedStore(what: string, details: ErrorDetails = {}, cause?: unknown): TidemarkError {
  return new TidemarkError('corrupt-store', `${what}. ${damageRemedy}`, { details, cause })
}

/** Batches of a partition follow each other without a gap, whatever compaction has dropped of them. */
export function missingOffsets(
  { topic, partition }: { readonly topic: string; readonly partition: number },
  from: number,
  until: number,
): TidemarkError {
  return damagedStore(
    `Topic ${topic} is damaged: offsets ${String(from)} to ${String(until - 1)} of partition ${String(partition)} are missing (${formatPosition({ topic, partition, offset: from })})`,
    { topic, partition, offset: from, until },
  )
}

/** Reads a small JSON entry of the store, or throws `corrupt-store`. */
export function decodeStored<A>(codec: t.Decoder<unknown, A>, bytes: Buffer, what: string): A {
  const decoded = codec.decode(parseStored(bytes))
  if (isRight(decoded)) return decoded.right
  throw damagedStore(`${what} in the embedded store cannot be read`)
}
