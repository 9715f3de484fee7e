import { daysFromCivil } from '../../../tables/civilDate.ts'
import type { NativeTypeName } from '../../../tables/cqlType.ts'
import { parseDuration } from '../../../tables/duration.ts'
import { parseIpv6 } from '../../../tables/inet.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { encodeSignedVint } from './vint.ts'

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

function match(type: string, pattern: RegExp, value: unknown): RegExpExecArray {
  const found = typeof value === 'string' ? pattern.exec(value) : null
  if (found === null) throw notCanonical(type)
  return found
}

const dateSource = /^([+-]?\d{4,9})-(\d\d)-(\d\d)$/
const timeSource = /^(\d\d):(\d\d):(\d\d)\.(\d{9})$/
const timestampSource = /^([+-]?\d{4,9})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z$/
const decimalSource = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]\d+))?$/
const msPerDay = 86_400_000n
/** Day 0 of the type date is 2^31, so that days sort as unsigned numbers. */
const dateEpoch = 2 ** 31

function days(found: RegExpExecArray): number {
  return daysFromCivil(Number(found[1]), Number(found[2]), Number(found[3]))
}

function seconds(found: RegExpExecArray, from: number): number {
  return (Number(found[from]) * 60 + Number(found[from + 1])) * 60 + Number(found[from + 2])
}

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
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match('decimal', decimalSource, value)
  const scale = Buffer.allocUnsafe(4)
  scale.writeInt32BE(fraction.length - Number(exponent))
  return Buffer.concat([scale, encodeVarint(BigInt(`${sign}${whole}${fraction}`))])
}

function encodeDuration(value: unknown): Buffer {
  const duration = typeof value === 'string' ? parseDuration(value) : undefined
  if (duration === undefined) throw notCanonical('duration')
  const { months, days: dayCount, nanoseconds } = duration
  return Buffer.concat([BigInt(months), BigInt(dayCount), nanoseconds].map(encodeSignedVint))
}

function encodeInet(value: unknown): Buffer {
  const address = String(value)
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const groups = parseIpv6(address)
  if (groups === undefined) throw notCanonical('inet')
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
  date: fixed(4, (bytes, value) => bytes.writeUInt32BE(days(match('date', dateSource, value)) + dateEpoch)),
  decimal: encodeDecimal,
  double: fixed(8, (bytes, value) => bytes.writeDoubleBE(Number(value))),
  duration: encodeDuration,
  float: fixed(4, (bytes, value) => bytes.writeFloatBE(Number(value))),
  inet: encodeInet,
  int: fixed(4, (bytes, value) => bytes.writeInt32BE(Number(value))),
  smallint: fixed(2, (bytes, value) => bytes.writeInt16BE(Number(value))),
  text: encodeText,
  time: fixed(8, (bytes, value) => {
    const found = match('time', timeSource, value)
    bytes.writeBigInt64BE(BigInt(seconds(found, 1)) * 1_000_000_000n + BigInt(found[4] ?? 0))
  }),
  timestamp: fixed(8, (bytes, value) => {
    const found = match('timestamp', timestampSource, value)
    bytes.writeBigInt64BE(BigInt(days(found)) * msPerDay + BigInt(seconds(found, 4) * 1_000 + Number(found[7])))
  }),
  timeuuid: encodeUuid,
  tinyint: fixed(1, (bytes, value) => bytes.writeInt8(Number(value))),
  uuid: encodeUuid,
  varint: (value) => encodeVarint(BigInt(String(value))),
}
