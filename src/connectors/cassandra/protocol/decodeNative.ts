import { civilFromDays, formatCivilDate, padTwo } from '../../../tables/civilDate.ts'
import type { NativeTypeName } from '../../../tables/cqlType.ts'
import { formatDuration } from '../../../tables/duration.ts'
import { JsonNumber } from '../../../codecs/json/jsonNumber.ts'
import { decodeSignedVint } from './vint.ts'

/**
 * From the bytes of Cassandra's native protocol to the value that JSON has for it, as `src/tables` converts it: the
 * row encoding is written there and nowhere else. Throws RangeError when there are fewer bytes than the type has.
 */
export type ByteDecoder = (bytes: Buffer) => unknown

const dateEpoch = 2 ** 31
const two32 = 2 ** 32

/** A number where it is exact, else null. */
function safeInt64(bytes: Buffer): number | null {
  const value = bytes.readInt32BE(0) * two32 + bytes.readUInt32BE(4)
  return Number.isSafeInteger(value) ? value : null
}

const decodeInt64: ByteDecoder = (bytes) => safeInt64(bytes) ?? String(bytes.readBigInt64BE(0))

/** Digits in a string could be a year, so what a double does not hold is a number kept by its source. */
const decodeTimestamp: ByteDecoder = (bytes) => safeInt64(bytes) ?? new JsonNumber(String(bytes.readBigInt64BE(0)))

/** JSON has no number for the three others. */
function finite(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

function varint(bytes: Buffer): number | bigint {
  if (bytes.length === 0) throw new RangeError('A varint has at least one byte.')
  if (bytes.length <= 6) return bytes.readIntBE(0, bytes.length)
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
}

const decodeUuid: ByteDecoder = (bytes) => {
  if (bytes.length !== 16) throw new RangeError('A UUID has 16 bytes.')
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function decodeInet(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16))
  return groups.join(':')
}

function decodeTime(bytes: Buffer): string {
  const nanoseconds = bytes.readBigInt64BE(0)
  const seconds = Number(nanoseconds / 1_000_000_000n)
  const clock = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60].map(padTwo).join(':')
  return `${clock}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}`
}

function decodeDuration(bytes: Buffer): string {
  const months = decodeSignedVint(bytes, 0)
  const days = decodeSignedVint(bytes, months.end)
  const nanoseconds = decodeSignedVint(bytes, days.end).value
  return formatDuration({ months: Number(months.value), days: Number(days.value), nanoseconds })
}

const decodeText: ByteDecoder = (bytes) => bytes.toString('utf8')

export const nativeDecoders: Readonly<Record<NativeTypeName, ByteDecoder>> = {
  ascii: decodeText,
  bigint: decodeInt64,
  blob: (bytes) => `0x${bytes.toString('hex')}`,
  boolean: (bytes) => bytes.readUInt8(0) !== 0,
  counter: decodeInt64,
  date: (bytes) => formatCivilDate(civilFromDays(bytes.readUInt32BE(0) - dateEpoch)),
  decimal: (bytes) => `${String(varint(bytes.subarray(4)))}E${String(-bytes.readInt32BE(0))}`,
  double: (bytes) => finite(bytes.readDoubleBE(0)),
  duration: decodeDuration,
  float: (bytes) => finite(bytes.readFloatBE(0)),
  inet: decodeInet,
  int: (bytes) => bytes.readInt32BE(0),
  smallint: (bytes) => bytes.readInt16BE(0),
  text: decodeText,
  time: decodeTime,
  timestamp: decodeTimestamp,
  timeuuid: decodeUuid,
  tinyint: (bytes) => bytes.readInt8(0),
  uuid: decodeUuid,
  varint: (bytes) => String(varint(bytes)),
}
