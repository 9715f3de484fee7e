import { TidemarkError } from './errors.ts'
import { asyncRemedy, isPromise, misuse, nameOf } from './mistakes.ts'
import { noTimestamp, isTopicName, topicNameRule, type Header, type OutputRecord } from './record.ts'

/** Bytes as they are, text as UTF-8, or nothing. */
export type Bytes = Buffer | string | null

/** What a sink can append as it is: a `StreamRecord` of bytes or text, a `DeadLetter`. */
export interface Sinkable {
  readonly key: Bytes
  readonly value: Bytes
  readonly headers: readonly Header[]
  /** ms since 1970. */
  readonly timestamp: number
}

/** What stands in the output instead of the record's own. */
export interface OutputFields<T> {
  readonly key?: (record: T) => Bytes
  readonly value?: (record: T) => Bytes
  readonly headers?: (record: T) => readonly Header[]
  /** ms since 1970. */
  readonly timestamp?: (record: T) => number
  /** The partition, or null to leave it to the key. */
  readonly partition?: (record: T) => number | null
}

/** A record's fields as far as the options do not replace them. */
export type PartlySinkable = Omit<Sinkable, 'value'> & { readonly value: unknown }

/**
 * The record as it is appended, or the error `invalid-output` of one that no log can take.
 *
 * @throws `misused-operator` for what is of another kind altogether, and is so by the job's fault and not the record's.
 */
export function outputRecord<T extends PartlySinkable>(
  operator: string,
  topic: string,
  record: T,
  fields: OutputFields<T>,
): OutputRecord | TidemarkError {
  if (!isTopicName(topic)) {
    if (typeof topic !== 'string') throw misusedField(operator, record, 'topic', topic, 'a text')
    return invalidOutput('topic', topicNameRule)
  }
  const givenKey: unknown = fields.key === undefined ? record.key : fields.key(record)
  const key = asBytes(givenKey)
  if (key === undefined) return withoutBytes(operator, record, 'key', givenKey)
  const givenValue: unknown = fields.value === undefined ? record.value : fields.value(record)
  const value = asBytes(givenValue)
  if (value === undefined) return withoutBytes(operator, record, 'value', givenValue)
  const headers =
    fields.headers === undefined ? record.headers : checkedHeaders(operator, record, fields.headers(record))
  const timestamp = fields.timestamp === undefined ? record.timestamp : fields.timestamp(record)
  if (!Number.isSafeInteger(timestamp) || timestamp < noTimestamp) {
    if (typeof timestamp !== 'number')
      throw misusedField(operator, record, 'timestamp', timestamp, 'a number, ms since 1970')
    return invalidOutput('timestamp', 'whole ms since 1970')
  }
  const partition = fields.partition === undefined ? null : fields.partition(record)
  if (partition !== null && !(Number.isSafeInteger(partition) && partition >= 0)) {
    if (typeof partition !== 'number')
      throw misusedField(operator, record, 'partition', partition, 'a number from 0, or null')
    return invalidOutput('partition', 'a whole number from 0, or null')
  }
  return { topic, partition, key, value, headers, timestamp }
}

const bytesRule = 'a Buffer, a well-formed string (half surrogate pairs have no UTF-8), or null'

/** Undefined: it has no bytes. */
function asBytes(content: unknown): Buffer | null | undefined {
  if (content === null || Buffer.isBuffer(content)) return content
  return typeof content === 'string' && content.isWellFormed() ? Buffer.from(content) : undefined
}

/** A string that has no UTF-8 is the record's; anything that is no text and no bytes is the job's. */
function withoutBytes(operator: string, record: unknown, field: 'key' | 'value', given: unknown): TidemarkError {
  if (typeof given === 'string') return invalidOutput(field, bytesRule)
  throw misusedField(operator, record, field, given, 'bytes, a string or null')
}

function checkedHeaders(operator: string, record: unknown, headers: unknown): readonly Header[] {
  if (Array.isArray(headers) && headers.every(isHeader)) return headers
  throw misusedField(
    operator,
    record,
    'headers',
    Array.isArray(headers) ? headers.find((header) => !isHeader(header)) : headers,
    'a list of pairs of a name and its bytes (a Buffer or null)',
  )
}

function isHeader(header: unknown): header is Header {
  if (!Array.isArray(header) || header.length !== 2) return false
  const [name, value] = header as readonly unknown[]
  return typeof name === 'string' && (value === null || Buffer.isBuffer(value))
}

function misusedField(operator: string, record: unknown, field: string, given: unknown, needs: string): TidemarkError {
  return misuse(
    operator,
    `the output's ${field} is ${nameOf(given)}, and has to be ${needs}. ${remedyFor(field, given)}`,
    record,
  )
}

function remedyFor(field: string, given: unknown): string {
  if (isPromise(given)) return asyncRemedy
  if (given === undefined)
    return 'A function before it, or the option of that name, returned nothing: is a return missing?'
  if (field === 'headers') return "For example [['version', Buffer.from('1')]]."
  if (field === 'timestamp') return given instanceof Date ? 'Give its getTime().' : 'For example Date.parse(text).'
  if (field === 'topic') return 'Return the name of the topic.'
  if (field === 'partition') return 'Return its number, or null to leave it to the key.'
  if (given instanceof Uint8Array || given instanceof ArrayBuffer) return 'Make it a Buffer: Buffer.from(bytes).'
  if (typeof given === 'object')
    return `Make it text: record.withValue(JSON.stringify(record.value)), or the option ${field}.`
  return `Make it text: String(…), as in record.withValue(String(record.value)), or the option ${field}.`
}

function invalidOutput(field: string, needs: string): TidemarkError {
  return new TidemarkError('invalid-output', `The output's ${field} is not ${needs}.`, { details: { field } })
}

/** Throws `invalid-argument` for a name that a log cannot have. */
export function checkTopicName(name: string): void {
  const isAllowed: boolean = isTopicName(name)
  if (isAllowed) return
  throw new TidemarkError('invalid-argument', `${JSON.stringify(name.slice(0, 60))} is not ${topicNameRule}`)
}
