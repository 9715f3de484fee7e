import { JsonNumber } from '../../../codecs/json/jsonNumber.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { NativeTypeName } from '../../../tables/cqlType.ts'
import { civilFromDays, epochDays, epochMs, formatCivilDate, padTwo } from '../../../tables/dateAndTime.ts'
import { parseDuration, formatDuration } from '../../../tables/duration.ts'
import { parseIpv6 } from '../../../tables/inet.ts'

/** From the JSON value of a canonical text to the bytes of Cassandra's native protocol. */
export type ByteEncoder = (value: unknown) => Buffer

function fixed(length: number, write: (bytes: Buffer, value: unknown) => void): ByteEncoder {
  return (value) => {
    const bytes = Buffer.allocUnsafe(length)
    write(bytes, value)
    return bytes
  }
}

/** Only canonical texts come here, so anything else is our own mistake. */
export function notCanonical(type: string): TidemarkError {
  return new TidemarkError('broken-invariant', `A value to be bound as ${type} is not in the row encoding.`)
}

function canonical<T>(type: NativeTypeName, read: T | null | undefined): T {
  if (read === null || read === undefined) throw notCanonical(type)
  return read
}

const timeSource = /^(\d\d):(\d\d):(\d\d)\.(\d{9})$/
const decimalSource = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]\d+))?$/
/** Day 0 of the type date is 2^31, so that days sort as unsigned numbers. */
const dateEpoch = 2 ** 31

/** Two's complement in as few bytes as hold it, most significant first. */
function encodeVarint(value: bigint): Buffer {
  if (value >= -128n && value < 128n) return Buffer.from([Number(value)])
  const bits = (value < 0n ? ~value : value).toString(2).length + 1
  const length = Math.ceil(bits / 8)
  return Buffer.from(
    BigInt.asUintN(length * 8, value)
      .toString(16)
      .padStart(length * 2, '0'),
    'hex',
  )
}

function encodeDecimal(value: unknown): Buffer {
  const found = canonical('decimal', decimalSource.exec(String(value)))
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = found
  const scale = Buffer.allocUnsafe(4)
  scale.writeInt32BE(fraction.length - Number(exponent))
  return Buffer.concat([scale, encodeVarint(BigInt(`${sign}${whole}${fraction}`))])
}

function encodeDuration(value: unknown): Buffer {
  const { months, days, nanoseconds } = canonical('duration', parseDuration(String(value)))
  return Buffer.concat([BigInt(months), BigInt(days), nanoseconds].map(encodeSignedVint))
}

function encodeInet(value: unknown): Buffer {
  const address = String(value)
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const groups = canonical('inet', parseIpv6(address))
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

const encodeText: ByteEncoder = (value) => Buffer.from(String(value), 'utf8')
const encodeInt64: ByteEncoder = fixed(8, (bytes, value) => bytes.writeBigInt64BE(BigInt(String(value))))
const encodeUuid: ByteEncoder = (value) => Buffer.from(String(value).replaceAll('-', ''), 'hex')

/** Numbers of JSON and the texts that stand for what JSON has no number for. */
export const nativeEncoders: Readonly<Record<NativeTypeName, ByteEncoder>> = {
  ascii: encodeText,
  bigint: encodeInt64,
  blob: (value) => Buffer.from(String(value).slice(2), 'hex'),
  boolean: (value) => Buffer.from([value === true ? 1 : 0]),
  counter: encodeInt64,
  date: fixed(4, (bytes, value) => bytes.writeUInt32BE(canonical('date', epochDays(value)) + dateEpoch)),
  decimal: encodeDecimal,
  double: fixed(8, (bytes, value) => bytes.writeDoubleBE(Number(value))),
  duration: encodeDuration,
  float: fixed(4, (bytes, value) => bytes.writeFloatBE(Number(value))),
  inet: encodeInet,
  int: fixed(4, (bytes, value) => bytes.writeInt32BE(Number(value))),
  smallint: fixed(2, (bytes, value) => bytes.writeInt16BE(Number(value))),
  text: encodeText,
  time: fixed(8, (bytes, value) => {
    const found = canonical('time', timeSource.exec(String(value)))
    const [hours = 0, minutes = 0, seconds = 0, nanoseconds = 0] = found.slice(1).map(Number)
    bytes.writeBigInt64BE(BigInt((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000n + BigInt(nanoseconds))
  }),
  timestamp: fixed(8, (bytes, value) => bytes.writeBigInt64BE(canonical('timestamp', epochMs(String(value))))),
  timeuuid: encodeUuid,
  tinyint: fixed(1, (bytes, value) => bytes.writeInt8(Number(value))),
  uuid: encodeUuid,
  varint: (value) => encodeVarint(BigInt(String(value))),
}

/**
 * From the bytes of Cassandra's native protocol to the value that JSON has for it, as `src/tables` converts it: the
 * row encoding is written there and nowhere else. Throws RangeError when there are fewer bytes than the type has.
 */
export type ByteDecoder = (bytes: Buffer) => unknown

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

/** A number of variable length and the position after it. */
interface ReadVint {
  readonly value: bigint
  readonly end: number
}

/**
 * An unsigned number in Cassandra's variable-length form: as many bytes follow the first one as it has leading one bits,
 * the rest is the number, most significant byte first.
 */
export function encodeUnsignedVint(value: bigint): Buffer {
  let extra = 0
  while (extra < 8 && value >> BigInt(7 * (extra + 1)) > 0n) extra += 1
  const bytes = Buffer.alloc(extra + 1)
  let rest = value
  for (let at = extra; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  bytes[0] = (bytes[0] ?? 0) | (0xff & ~(0xff >> extra))
  return bytes
}

/** Throws RangeError when the bytes end before the number does. */
export function decodeUnsignedVint(bytes: Buffer, start: number): ReadVint {
  const first = bytes.readUInt8(start)
  const extra = Math.clz32(~(first << 24))
  let value = BigInt(extra >= 8 ? 0 : first & (0xff >> extra))
  for (let at = 1; at <= extra; at += 1) value = (value << 8n) | BigInt(bytes.readUInt8(start + at))
  return { value, end: start + extra + 1 }
}

/** A signed number of 64 bits: zigzag, so that small ones of either sign are short. */
export function encodeSignedVint(value: bigint): Buffer {
  return encodeUnsignedVint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))
}

export function decodeSignedVint(bytes: Buffer, start: number): ReadVint {
  const { value, end } = decodeUnsignedVint(bytes, start)
  return { value: (value >> 1n) ^ -(value & 1n), end }
}
