import { isUtf8 } from 'node:buffer'
import { parseJson } from '../../codecs/json/parseJson.ts'
import { TidemarkError, messageOf } from '../../core/errors.ts'
import { didYouMean } from '../../core/nearest.ts'
import type { Header, StreamRecord } from '../../core/record.ts'
import { isObject } from '../../core/storedJson.ts'
import { visible, visibleJson } from '../../core/visible.ts'

/** A record as a line of input describes it. */
export interface RecordLine {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
  /** Null: the line names none. */
  readonly timestamp: number | null
  /** Null: the line names none. */
  readonly partition: number | null
}

/** How `topic write` reads a line; `number` counts from 1 and is for error messages. */
export type LineFormat = (line: Buffer, number: number) => RecordLine

/** The raw line is the value; an empty line is an empty value. */
export const rawLine: LineFormat = (line) => ofValue(line)

/** The line is the value in base64; an empty line is an empty value. A byte order mark before the first one is left out. */
export const base64Line: LineFormat = (line, number) => {
  const text = withoutMark(line, number).toString('latin1').replace(/\r$/, '')
  return ofValue(decodeBase64(text, `line ${String(number)}`))
}

/**
 * The line is what `topic read --json` prints: `{key, value, headers, timestamp, partition}`, each but the value optional.
 * Bytes that are no UTF-8 stand in `keyBase64`, `valueBase64` and, in a header, as `{"base64": …}`. Members `topic` and
 * `offset` are read over, because a record that is written again gets new ones. A byte order mark before the first line is
 * the file's, and left out.
 */
export const jsonLine: LineFormat = (line, number) => {
  const where = `line ${String(number)}`
  const members = parseObject(withoutMark(line, number), where)
  for (const name of Object.keys(members)) {
    if (!memberNames.includes(name)) {
      throw invalid(
        where,
        `has an unknown member ${quoted(name)}. ${didYouMean(name, memberNames, 'It takes key, value, headers, timestamp and partition.')}`,
      )
    }
  }
  if (members['value'] === undefined && members['valueBase64'] === undefined) {
    throw invalid(where, 'has no member "value": give a string, or null for a tombstone, or valueBase64.')
  }
  return {
    key: readBytes(members, 'key', where),
    value: readBytes(members, 'value', where),
    headers: readHeaders(members['headers'], where),
    timestamp: readInteger(members['timestamp'], 'timestamp', where),
    partition: readInteger(members['partition'], 'partition', where),
  }
}

const byteOrderMark = '\uFEFF'
const markBytes = Buffer.from(byteOrderMark)

const memberNames: readonly string[] = [
  'topic',
  'partition',
  'offset',
  'timestamp',
  'key',
  'keyBase64',
  'value',
  'valueBase64',
  'headers',
]

/** A record as one line of JSON, without its newline and with nothing invisible in it; `jsonLine` reads it back. */
export function recordAsJson(record: StreamRecord<unknown>): string {
  const { topic, partition, offset, timestamp, key, raw, headers } = record
  const json = JSON.stringify({
    topic,
    partition,
    offset,
    timestamp,
    ...bytesMember('key', 'keyBase64', key),
    ...bytesMember('value', 'valueBase64', raw),
    headers: headers.map(([name, value]) => [name, value === null ? null : headerText(value)]),
  })
  return visibleJson(json)
}

function bytesMember(name: string, base64Name: string, bytes: Buffer | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null }
  return isUtf8(bytes) ? { [name]: bytes.toString('utf8') } : { [base64Name]: bytes.toString('base64') }
}

function headerText(bytes: Buffer): string | { readonly base64: string } {
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') }
}

function ofValue(value: Buffer): RecordLine {
  return { key: null, value, headers: [], timestamp: null, partition: null }
}

function parseObject(line: Buffer, where: string): Readonly<Record<string, unknown>> {
  if (!isUtf8(line))
    throw invalid(where, `is not valid UTF-8${isUtf16(line) ? '; it is UTF-16: save the file as UTF-8' : ''}.`)
  const text = line.toString('utf8')
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    const reason = text.startsWith(byteOrderMark) ? 'it begins with a byte order mark (U+FEFF).' : faultIn(text)
    throw invalid(where, `is not JSON: ${reason}`)
  }
  if (!isObject(parsed)) throw invalid(where, 'is not a JSON object {key, value, headers, timestamp, partition}.')
  return parsed
}

function withoutMark(line: Buffer, number: number): Buffer {
  return number === 1 && line.subarray(0, 3).equals(markBytes) ? line.subarray(3) : line
}

function isUtf16(line: Buffer): boolean {
  return line[0] === 0xff && line[1] === 0xfe
}

/** By our own parser, because JSON.parse quotes the line; nobody can look for a character that cannot be seen. */
function faultIn(text: string): string {
  try {
    parseJson(text)
    return 'it is not one JSON text.'
  } catch (error) {
    const offset = error instanceof TidemarkError ? error.details['offset'] : undefined
    const [character = ''] = typeof offset === 'number' ? text.slice(offset) : ''
    const isSeen = visible(character) === character && !/[^\P{Z} ]/u.test(character)
    return isSeen ? messageOf(error) : `${messageOf(error)} There stands ${codePoint(character)}, which is not seen.`
  }
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}

function readBytes(members: Readonly<Record<string, unknown>>, name: 'key' | 'value', where: string): Buffer | null {
  const base64Name = `${name}Base64`
  const plain = members[name]
  const base64 = members[base64Name]
  if (base64 === undefined || base64 === null) {
    return plain === undefined || plain === null ? null : readText(plain, `member ${quoted(name)}`, where)
  }
  if (plain !== undefined && plain !== null) throw invalid(where, `has both ${quoted(name)} and ${quoted(base64Name)}.`)
  if (typeof base64 !== 'string') throw invalid(where, `has a member ${quoted(base64Name)} that is not a string.`)
  return decodeBase64(base64, where)
}

function readText(value: unknown, what: string, where: string): Buffer {
  if (typeof value !== 'string') {
    throw invalid(
      where,
      `has a ${what} that is not a string; JSON inside it is written as a string too: "{\\"id\\":1}".`,
    )
  }
  if (!value.isWellFormed()) throw invalid(where, `has a ${what} with half of a surrogate pair, which has no bytes.`)
  return Buffer.from(value, 'utf8')
}

function readHeaders(value: unknown, where: string): readonly Header[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw invalid(where, 'has headers that are not a list of pairs [["name", "value"], …].')
  return value.map((pair: unknown): Header => {
    const [name, content, ...more] = Array.isArray(pair) ? (pair as readonly unknown[]) : []
    if (typeof name !== 'string' || content === undefined || more.length > 0) {
      throw invalid(where, 'has a header that is not a pair ["name", "value"].')
    }
    if (!name.isWellFormed()) throw invalid(where, 'has a header name with half of a surrogate pair.')
    if (content === null) return [name, null]
    if (isObject(content) && typeof content['base64'] === 'string')
      return [name, decodeBase64(content['base64'], where)]
    return [name, readText(content, `header ${quoted(name)}`, where)]
  })
}

function readInteger(value: unknown, name: string, where: string): number | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw invalid(where, `has a ${name} that is not a whole number of at least 0.`)
}

/** Node skips what is no base64; a typo must not turn into other bytes. */
function decodeBase64(text: string, where: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text)
    throw invalid(where, 'has a value that is not base64 (RFC 4648, with padding).')
  return bytes
}

/** A name from the input, short and without control characters. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 50 ? `${name.slice(0, 50)}…` : name)
}

function invalid(where: string, problem: string): TidemarkError {
  return new TidemarkError('invalid-input', `${where.charAt(0).toUpperCase()}${where.slice(1)} ${problem}`)
}
