import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { JsonNumber } from '../../../codecs/json/jsonNumber.ts'
import { StreamRecord, noTimestamp } from '../../../core/record.ts'
import { TidemarkError, errorCodes, type ErrorCode } from '../../../core/errors.ts'

/** A whole number that a double holds exactly, of at least `least`: JSON has 1e300, 0.5 and -1 as well. */
export function safeInteger(least: number): t.Type<number> {
  const name = `a whole number from ${String(least)} to 2^53 - 1`
  const isOne = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= least
  return new t.Type(
    name,
    isOne,
    (value, context) => (isOne(value) ? t.success(value) : t.failure(value, context)),
    t.identity,
  )
}

/** Bytes as base64 text; `Buffer` never refuses one. */
const base64Bytes = new t.Type<Buffer, string>(
  'base64 text',
  (value): value is Buffer => Buffer.isBuffer(value),
  (value, context) => (typeof value === 'string' ? t.success(Buffer.from(value, 'base64')) : t.failure(value, context)),
  (value) => value.toString('base64'),
)
const nullableBytes = t.union([base64Bytes, t.null])
const wireHeaders = wireArray(t.readonly(t.tuple([t.string, nullableBytes])))

const wireOutput = t.strict({
  topic: t.string,
  partition: t.union([safeInteger(0), t.null]),
  key: nullableBytes,
  value: nullableBytes,
  headers: wireHeaders,
  timestamp: safeInteger(noTimestamp),
})
const wireRecord = t.tuple([t.number, t.number, nullableBytes, nullableBytes, wireHeaders])

/** Records to append. */
export const wireOutputs = wireArray(wireOutput)
/** A page of one partition; a record is its offset, timestamp, key, value and headers. */
export const wirePage = t.strict({ records: wireArray(wireRecord), next: t.number, end: t.number })

/** An array that is refused at its first wrong element; io-ts makes an error of each, a gigabyte of a hostile request. */
export function wireArray<A, O>(item: t.Type<A, O>): t.Type<readonly A[], readonly O[]> {
  const { name, is, encode } = t.readonlyArray(item)
  return new t.ReadonlyArrayType(
    name,
    is,
    (value, context) => {
      if (!Array.isArray(value)) return t.failure(value, context)
      const decoded: A[] = []
      for (const [index, element] of (value as readonly unknown[]).entries()) {
        const result = item.validate(element, t.appendContext(context, String(index), item, element))
        if (isLeft(result)) return result
        decoded.push(result.right)
      }
      return t.success(decoded)
    },
    encode,
    item,
  )
}

export function toWireRecord({ offset, timestamp, key, raw, headers }: StreamRecord): t.TypeOf<typeof wireRecord> {
  return [offset, timestamp, key, raw, headers]
}

export function fromWireRecord(topic: string, partition: number, record: t.TypeOf<typeof wireRecord>): StreamRecord {
  const [offset, timestamp, key, value, headers] = record
  return new StreamRecord(topic, partition, offset, timestamp, key, headers, value, value)
}

/** An error that crosses the socket. */
export const wireError = t.strict({
  code: t.string,
  message: t.string,
  retriable: t.boolean,
  details: t.record(t.string, t.union([t.string, t.number, t.boolean, t.null])),
})

export function toWireError({ code, message, retriable, details }: TidemarkError): t.TypeOf<typeof wireError> {
  const present = Object.entries(details).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return { code, message, retriable, details: Object.fromEntries(present) }
}

export function fromWireError({ code, message, retriable, details }: t.TypeOf<typeof wireError>): TidemarkError {
  return new TidemarkError(isErrorCode(code) ? code : 'broken-invariant', message, { retriable, details })
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code)
}

/** JSON text of a parsed message's value, with the numbers that `parseJson` kept as they were written. */
export function exactJson(value: unknown): string {
  if (value instanceof JsonNumber) return value.source
  if (Array.isArray(value)) return `[${value.map(exactJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${exactJson(member)}`).join(',')}}`
}
