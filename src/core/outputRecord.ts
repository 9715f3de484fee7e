import { TidemarkError } from './errors.ts'
import type { Header, OutputRecord } from './record.ts'
import { isTopicName, topicNameRule } from './topicName.ts'

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

/** Kafka's own mark for a record without a timestamp. */
const noTimestamp = -1

/** The record as it is appended, or the error `invalid-output` of one that no log can take. */
export function outputRecord<T extends PartlySinkable>(
  topic: string,
  record: T,
  fields: OutputFields<T>,
): OutputRecord | TidemarkError {
  if (!isTopicName(topic)) return invalidOutput('topic', topicNameRule)
  const key = asBytes(fields.key === undefined ? record.key : fields.key(record))
  if (key === undefined) return invalidOutput('key', bytesRule)
  const value = asBytes(fields.value === undefined ? record.value : fields.value(record))
  if (value === undefined) return invalidOutput('value', bytesRule)
  const headers = fields.headers === undefined ? record.headers : fields.headers(record)
  const timestamp = fields.timestamp === undefined ? record.timestamp : fields.timestamp(record)
  if (!Number.isSafeInteger(timestamp) || timestamp < noTimestamp)
    return invalidOutput('timestamp', 'whole ms since 1970')
  const partition = fields.partition === undefined ? null : fields.partition(record)
  if (partition !== null && !(Number.isSafeInteger(partition) && partition >= 0)) {
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

function invalidOutput(field: string, needs: string): TidemarkError {
  return new TidemarkError('invalid-output', `The output's ${field} is not ${needs}.`, { details: { field } })
}
