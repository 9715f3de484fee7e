import { map, type Observable } from 'rxjs'
import { sha256Hex } from '../src/codecs/sha256.ts'
import { checkRecord, checkText, checkWord, invalidArgument } from '../src/core/mistakes.ts'
import type { StreamRecord } from '../src/core/record.ts'

export interface Sha256HashOptions<MessageAs extends string, RowAs extends string> {
  /** The field that takes the message's hash. */
  readonly messageAs: MessageAs
  /** The field that takes the row's hash. */
  readonly rowAs: RowAs
  /** Default `upper`. */
  readonly letters?: 'upper' | 'lower'
  /** The hash of a row that is missing, and of a message without a value: null (default), or that of no bytes. */
  readonly missing?: 'null' | 'empty'
}

/** What can be hashed: the result of a row lookup. */
export interface WithRow {
  readonly row: { readonly encoded: string } | null
}

/** A value with its two hashes beside what it had. */
export type Hashed<V, Field extends string> = V & { readonly [F in Field]: string | null }

const operator = 'sha256Hash'

/** What `asyncLookup` gives; a hash must not replace it. */
const taken: ReadonlySet<string> = new Set(['message', 'row'])

/**
 * Adds two SHA-256 fingerprints to what `asyncLookup` gives: of the message, over the record's raw bytes as they stand in
 * the topic, and of the row, over exactly its canonical encoding (docs/row-encoding.md). Both are 64 hexadecimal digits.
 * They are of different things and never equal; comparing is another step.
 *
 * Pure and synchronous: no context, no state, no errors of its own, no effect on delivery.
 *
 * @throws TidemarkError `invalid-argument`
 * @example sha256Hash({ messageAs: 'hash', rowAs: 'cass_hash' })
 */
export function sha256Hash<const MessageAs extends string, const RowAs extends string>(
  options: Sha256HashOptions<MessageAs, RowAs>,
): <V extends WithRow>(source$: Observable<StreamRecord<V>>) => Observable<StreamRecord<Hashed<V, MessageAs | RowAs>>> {
  const { messageAs, rowAs, letters = 'upper', missing = 'null' } = options
  const messagePlace = { operator, option: 'messageAs', example: "messageAs: 'hash'" }
  const rowPlace = { operator, option: 'rowAs', example: "rowAs: 'cass_hash'" }
  for (const [place, field] of [
    [messagePlace, messageAs],
    [rowPlace, rowAs],
  ] as const) {
    checkText(place, field)
    if (taken.has(field)) throw invalidArgument(place, field, 'the name of a new field')
  }
  const fields: ReadonlySet<string> = new Set([messageAs, rowAs])
  if (fields.size < 2) throw invalidArgument(rowPlace, rowAs, 'another field than messageAs')
  checkWord({ operator, option: 'letters', example: "letters: 'lower'" }, letters, ['upper', 'lower'])
  checkWord({ operator, option: 'missing', example: "missing: 'empty'" }, missing, ['null', 'empty'])
  const ofNothing = missing === 'null' ? null : sha256Hex('', letters)

  return (source$) =>
    source$.pipe(
      map((record) => {
        checkRecord(operator, record)
        const { raw, value } = record
        const hashed: unknown = {
          ...value,
          [messageAs]: raw === null ? ofNothing : sha256Hex(raw, letters),
          [rowAs]: value.row === null ? ofNothing : sha256Hex(value.row.encoded, letters),
        }
        // TypeScript widens computed keys to string; they are these two.
        return record.withValue(hashed as Hashed<typeof value, MessageAs | RowAs>)
      }),
    )
}
