import { isLeft } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import type { OperatorFunction } from 'rxjs'
import { decodeJsonText } from '../src/codecs/json/decodeJsonText.ts'
import { highestMaxDepth, parseJson } from '../src/codecs/json/parseJson.ts'
import { valueDecoder } from '../src/codecs/json/valueDecoder.ts'
import {
  asyncRemedy,
  checkRecord,
  checkWhole,
  checkWord,
  invalidArgument,
  isPromise,
  misuse,
  nameOf,
} from '../src/core/mistakes.ts'
import { refuseTo, stepOptions, type StepOptions } from '../src/core/stepOptions.ts'
import { operatorContext, type PipelineContext } from '../src/core/context.ts'
import { TidemarkError } from '../src/core/errors.ts'
import { operate } from '../src/core/operate.ts'
import type { StreamRecord } from '../src/core/record.ts'
import { isObject } from '../src/core/storedJson.ts'

/** The members of a record's key, for a record without a value. Read them; copy them by spreading only. */
export type JsonKey = Readonly<Record<string, unknown>>

export interface DecodeJsonOptions extends StepOptions {
  /** Deepest nesting of arrays and objects, at most 1,000. Default: the setting `json.max.depth`. */
  readonly maxDepth?: number
  /**
   * `double` (default): numbers are JavaScript's. `exact`: a number that a double does not give back letter by letter is a
   * `JsonNumber` with its source.
   */
  readonly numbers?: 'double' | 'exact'
  /**
   * What a null value means: a bad record (default), nothing (`skip`: counted as the tally `tombstone-skipped`), or the
   * value that a function makes of the members of the record's JSON key, which the codec then checks.
   */
  readonly tombstone?: 'refuse' | 'skip' | ((key: JsonKey, record: StreamRecord) => unknown)
}

const operator = 'decodeJson'

/**
 * Decodes each value as one JSON text and checks it with an io-ts codec: `StreamRecord<Buffer | null>` to
 * `StreamRecord<A>`. The bytes stay reachable as `record.raw`.
 *
 * Nothing is repaired: invalid UTF-8, a byte order mark, half surrogate pairs, a missing member are bad records, with a
 * sentence that names path and expected type. Of duplicate keys the last wins.
 *
 * Errors, to `onError` or failing the epoch: `empty-value`, `invalid-utf8`, `byte-order-mark`, `too-deep`,
 * `malformed-json`, `schema-mismatch`, `tombstone-without-key`. Synchronous; no effect on delivery, no memory of its own.
 *
 * @throws TidemarkError `invalid-argument`
 * @example decodeJson(context, t.type({ orderId: t.string }), { onError: deadLetters })
 * @example decodeJson(context, Request, { onError: deadLetters, tombstone: (key) => ({ ...key, payload: null }) })
 */
export function decodeJson<A>(
  context: PipelineContext,
  codec: t.Type<A, unknown>,
  options: DecodeJsonOptions = {},
): OperatorFunction<StreamRecord, StreamRecord<A>> {
  const attempt = operatorContext(context)
  const { onError, maxDepth = attempt.limits.jsonMaxDepth, numbers = 'double', tombstone = 'refuse' } = options
  checkWhole({ operator, option: 'maxDepth', example: 'maxDepth: 256' }, maxDepth, 1, highestMaxDepth)
  checkWord({ operator, option: 'numbers', example: "numbers: 'exact'" }, numbers, ['double', 'exact'])
  if (typeof tombstone !== 'function') {
    checkWord({ operator, option: 'tombstone', example: "tombstone: 'skip'" }, tombstone, ['refuse', 'skip'])
  }
  const given: { readonly decode?: unknown; readonly is?: unknown } | undefined = codec
  if (typeof given?.decode !== 'function' || typeof given.is !== 'function') {
    throw invalidArgument(
      { operator, option: 'codec', example: 't.type({ orderId: t.string })' },
      codec,
      'an io-ts codec',
    )
  }
  const step = attempt.step({
    kind: operator,
    ...stepOptions(options),
    details: { codec: codec.name, maxDepth, numbers },
  })
  const refuse = refuseTo(attempt, onError)
  const decode = valueDecoder(codec)
  const parse = (bytes: Buffer): unknown => parseJson(decodeJsonText(bytes), { maxDepth, numbers })

  /** The decoded value, or the error of a bad record. */
  const decodeValue = (bytes: Buffer): { readonly value: A } | TidemarkError => {
    const parsed = withoutThrowing(() => parse(bytes))
    if (parsed instanceof TidemarkError) return parsed
    const decoded = decode(parsed.value)
    if (isLeft(decoded)) return new TidemarkError('schema-mismatch', `The value does not match: ${decoded.left}.`)
    return { value: decoded.right }
  }

  const decodeTombstone = (record: StreamRecord): { readonly value: A } | TidemarkError => {
    if (typeof tombstone !== 'function') {
      return new TidemarkError('empty-value', 'The value is null (a tombstone); JSON text is expected.')
    }
    const { key } = record
    if (key === null) return withoutKey('the record has no key')
    const parsed = withoutThrowing(() => parse(key))
    if (parsed instanceof TidemarkError) return withoutKey('the key is not JSON', parsed)
    if (!isObject(parsed.value)) return withoutKey('the key is not a JSON object')
    const made: unknown = tombstone(parsed.value, record)
    if (isPromise(made)) throw misuse(operator, `tombstone returned a Promise. ${asyncRemedy}`, record)
    const decoded = decode(made)
    return isLeft(decoded) ? withoutKey(`the key does not match: ${decoded.left}`) : { value: decoded.right }
  }

  return (source$) =>
    operate(step, source$, (destination) => ({
      next(record) {
        checkRecord(operator, record)
        const { value } = record
        if (value === null && tombstone === 'skip') {
          context.tally('tombstone-skipped')
          return
        }
        if (value !== null && !Buffer.isBuffer(value)) {
          throw misuse(
            operator,
            `the value is ${nameOf(value)}, and has to be the record's bytes. Put decodeJson before what changes them.`,
            record,
          )
        }
        const decoded = value === null ? decodeTombstone(record) : decodeValue(value)
        if (decoded instanceof TidemarkError) refuse(decoded, record)
        else destination.next(record.withValue(decoded.value))
      },
    }))
}

/** Bad data as a value; anything else that is thrown is a fault of ours and goes on. */
function withoutThrowing<T>(parse: () => T): { readonly value: T } | TidemarkError {
  try {
    return { value: parse() }
  } catch (error) {
    if (error instanceof TidemarkError && error.kind === 'record') return error
    throw error
  }
}

function withoutKey(reason: string, cause?: TidemarkError): TidemarkError {
  return new TidemarkError('tombstone-without-key', `The value is null and ${reason}, so it cannot be located.`, {
    cause,
  })
}
