import type { NativeTypeName, Conversion } from './cqlType.ts'
import { dateText, timeText, timestampText } from './dateAndTime.ts'
import { decimalText, bigintText, smallIntegerText, varintText, doubleText, floatJson, floatText } from './numbers.ts'
import { durationText } from './duration.ts'
import { inetText } from './inet.ts'

/** One native type: what converts, into which plain text, and how that text is written in JSON. */
export interface NativeCodec {
  /** What a value must be, for messages: "an integer from …". */
  readonly expected: string
  /** The canonical text before JSON quoting: the value's place in the order of sets and maps, and a map's member name. */
  readonly plain: Conversion
  /** The JSON of a plain text. */
  readonly json: (plain: string) => string
}

const bare = (plain: string): string => plain
/** For texts that hold nothing to escape. */
const quoted = (plain: string): string => `"${plain}"`

/** Nothing to escape and no surrogates: the common text, written without the cost of JSON.stringify. */
const plainSource = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/
const escaped = (plain: string): string => (plainSource.test(plain) ? `"${plain}"` : JSON.stringify(plain))

const uuidSource = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const blobSource = /^0x(?:[0-9a-f]{2})*$/i
const asciiSource = /^[\u0000-\u007f]*$/

const uuidText: Conversion = (value) =>
  typeof value === 'string' && value.length === 36 && uuidSource.test(value) ? value.toLowerCase() : undefined

/** A version 1 UUID: the only one that Cassandra takes as timeuuid. */
const timeuuidText: Conversion = (value) => {
  const text = uuidText(value)
  return text?.[14] === '1' ? text : undefined
}

const blobText: Conversion = (value) =>
  typeof value === 'string' && blobSource.test(value) ? value.toLowerCase() : undefined

const booleanSource = /^(?:true|false)$/i
const booleanText: Conversion = (value) => {
  if (typeof value === 'boolean') return String(value)
  return typeof value === 'string' && booleanSource.test(value) ? value.toLowerCase() : undefined
}

/** Text as it is. A lone surrogate has no UTF-8: two of them would be stored and hashed as the same bytes. */
const textText: Conversion = (value) => (typeof value === 'string' && value.isWellFormed() ? value : undefined)

const asciiText: Conversion = (value) => (typeof value === 'string' && asciiSource.test(value) ? value : undefined)

const int64 = 'an integer from -9223372036854775808 to 9223372036854775807 (JSON number or digit string)'

export const nativeCodecs: Readonly<Record<NativeTypeName, NativeCodec>> = {
  ascii: { expected: 'a string of ASCII characters', plain: asciiText, json: escaped },
  bigint: { expected: int64, plain: bigintText, json: quoted },
  blob: { expected: 'a string of 0x and an even number of hex digits', plain: blobText, json: quoted },
  boolean: { expected: 'true or false', plain: booleanText, json: bare },
  counter: { expected: int64, plain: bigintText, json: quoted },
  date: { expected: 'a date as "YYYY-MM-DD"', plain: dateText, json: quoted },
  decimal: { expected: 'a decimal number (JSON number or string)', plain: decimalText, json: quoted },
  double: { expected: 'a number (JSON number or string), NaN or Infinity', plain: doubleText, json: floatJson },
  duration: { expected: 'a duration as "P1Y2M3DT4H5M6.7S" or "1y2mo3d4h5m6s"', plain: durationText, json: quoted },
  float: { expected: 'a 32-bit number (JSON number or string), NaN or Infinity', plain: floatText, json: floatJson },
  inet: { expected: 'an IPv4 or IPv6 address', plain: inetText, json: quoted },
  int: {
    expected: 'an integer from -2147483648 to 2147483647 (JSON number or digit string)',
    plain: smallIntegerText(32),
    json: bare,
  },
  smallint: {
    expected: 'an integer from -32768 to 32767 (JSON number or digit string)',
    plain: smallIntegerText(16),
    json: bare,
  },
  text: { expected: 'a string without lone surrogates', plain: textText, json: escaped },
  time: { expected: 'a time of day as "HH:MM:SS.nnnnnnnnn"', plain: timeText, json: quoted },
  timestamp: {
    expected: 'an ISO 8601 time to the millisecond as "YYYY-MM-DDTHH:MM:SS.mmmZ", or ms since 1970 as an integer',
    plain: timestampText,
    json: quoted,
  },
  timeuuid: { expected: 'a version 1 UUID', plain: timeuuidText, json: quoted },
  tinyint: {
    expected: 'an integer from -128 to 127 (JSON number or digit string)',
    plain: smallIntegerText(8),
    json: bare,
  },
  uuid: { expected: 'a UUID', plain: uuidText, json: quoted },
  varint: { expected: 'an integer (JSON number or digit string)', plain: varintText, json: quoted },
}
