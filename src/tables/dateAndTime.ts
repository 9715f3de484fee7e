import type { Conversion } from './cqlType.ts'
import { bigintText } from './numbers.ts'

/** A day of the proleptic Gregorian calendar; year 0 is 1 BC. */
interface CivilDate {
  readonly year: number
  readonly month: number
  readonly day: number
}

const daysPerEra = 146_097
const daysToEpoch = 719_468

/** Days since 1970-01-01. Years may be any that CQL has (some 300 million), beyond the range of `Date`. */
export function daysFromCivil(year: number, month: number, day: number): number {
  // Years are counted from March, so that the leap day is a year's last (after Hinnant, chrono-compatible algorithms).
  const marchYear = month <= 2 ? year - 1 : year
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * daysPerEra + dayOfEra - daysToEpoch
}

/** The inverse of `daysFromCivil`. */
export function civilFromDays(days: number): CivilDate {
  const shifted = days + daysToEpoch
  const era = Math.floor(shifted / daysPerEra)
  const dayOfEra = shifted - era * daysPerEra
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** True when the month has that day. */
export function isCivilDate(year: number, month: number, day: number): boolean {
  const isLeapDay = month === 2 && day === 29 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return isLeapDay || (day >= 1 && day <= (monthLengths[month - 1] ?? 0))
}

const twoDigits: readonly string[] = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0'))

/** A number below 100 with two digits. */
export function padTwo(number: number): string {
  return twoDigits[number] ?? ''
}

/** `YYYY-MM-DD`; a year outside 0000–9999 has its sign and at least six digits, as ECMAScript and ISO 8601 expand it. */
export function formatCivilDate({ year, month, day }: CivilDate): string {
  const digits =
    year >= 1_000 && year <= 9_999
      ? String(year)
      : year >= 0 && year < 1_000
        ? String(year).padStart(4, '0')
        : `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`
  return `${digits}-${padTwo(month)}-${padTwo(day)}`
}

/** The year of a text of four digits, or of a sign and four to nine; undefined for `-0000`, which no year is. */
function parseYear(text: string): number | undefined {
  const year = Number(text)
  return Object.is(year, -0) ? undefined : year
}

const dateSource = /^([0-9]{4}|[+-][0-9]{4,9})-([0-9]{2})-([0-9]{2})$/
const timeSource = /^([01]?[0-9]|2[0-3]):([0-5]?[0-9]):([0-5]?[0-9])(?:\.([0-9]{1,9}))?$/
const minDays = -(2 ** 31)
const maxDays = 2 ** 31 - 1

/** The days since 1970-01-01 of a date of CQL: 2^31 either way, so from -5877641-06-23 to +5881580-07-11. */
export function epochDays(value: unknown): number | undefined {
  const match = typeof value === 'string' ? dateSource.exec(value) : null
  if (match === null) return undefined
  const [, yearText = '', monthText, dayText] = match
  const year = parseYear(yearText)
  const month = Number(monthText)
  const day = Number(dayText)
  if (year === undefined || !isCivilDate(year, month, day)) return undefined
  const days = daysFromCivil(year, month, day)
  return days < minDays || days > maxDays ? undefined : days
}

export const dateText: Conversion = (value) => {
  const days = epochDays(value)
  return days === undefined ? undefined : formatCivilDate(civilFromDays(days))
}

/** A time of day with nine digits of a second. */
export const timeText: Conversion = (value) => {
  const match = typeof value === 'string' ? timeSource.exec(value) : null
  if (match === null) return undefined
  const [, hours = '', minutes = '', seconds = '', fraction = ''] = match
  return `${[hours, minutes, seconds].map((part) => part.padStart(2, '0')).join(':')}.${fraction.padEnd(9, '0')}`
}

const msPerDay = 86_400_000

/** Date, optional time (seconds and fraction optional), optional zone. */
const isoSource =
  /^([0-9]{4,9}|[+-][0-9]{4,9})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?)?(?: ?(?:([Zz]|UTC|GMT)|([+-])([0-9]{2})(?::?([0-9]{2}))?))?$/

/**
 * A timestamp of CQL is a signed 64-bit count of milliseconds, far beyond the range of `Date`. Its text is ISO 8601 with
 * milliseconds and Z. Read are: an ISO date and time, no zone meaning UTC; a date alone, meaning its midnight; and
 * milliseconds since 1970 as a JSON number (a string of digits could be a year and is refused). Digits below the
 * millisecond are dropped, as Cassandra does.
 */
export const timestampText: Conversion = (value) => {
  if (typeof value === 'string') {
    if (isCanonical(value)) return value
    const ms = epochMs(value)
    return ms === undefined ? undefined : formatMs(ms)
  }
  if (typeof value === 'number' && Number.isSafeInteger(value)) return formatSafeMs(value)
  const digits = bigintText(value)
  return digits === undefined ? undefined : formatMs(BigInt(digits))
}

/** The two digits at a position, or NaN-like 1,000 when they are none. */
function twoAt(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 1_000
}

/** True for `YYYY-MM-DDTHH:MM:SS.mmmZ` and a moment that exists: the common case, without a regular expression. */
function isCanonical(text: string): boolean {
  if (text.length !== 24) return false
  const lastDigit = text.charCodeAt(22) - 48
  return (
    text[4] === '-' &&
    text[7] === '-' &&
    text[10] === 'T' &&
    text[13] === ':' &&
    text[16] === ':' &&
    text[19] === '.' &&
    text[23] === 'Z' &&
    twoAt(text, 11) < 24 &&
    twoAt(text, 14) < 60 &&
    twoAt(text, 17) < 60 &&
    twoAt(text, 20) < 100 &&
    lastDigit >= 0 &&
    lastDigit <= 9 &&
    twoAt(text, 0) < 100 &&
    twoAt(text, 2) < 100 &&
    isCivilDate(twoAt(text, 0) * 100 + twoAt(text, 2), twoAt(text, 5), twoAt(text, 8))
  )
}

/** The milliseconds since 1970 of a text that `timestampText` reads. */
export function epochMs(text: string): bigint | undefined {
  const match = isoSource.exec(text)
  if (match === null) return undefined
  const [, yearText = '', month, day, hour = 0, minute = 0, second = 0, fraction = '', , sign, zoneHour, zoneMinute] =
    match
  const year = parseYear(yearText)
  const clock = [Number(hour), Number(minute), Number(second), Number(zoneHour ?? 0), Number(zoneMinute ?? 0)] as const
  if (year === undefined || !isCivilDate(year, Number(month), Number(day))) return undefined
  if (clock[0] > 23 || clock[1] > 59 || clock[2] > 59 || clock[3] > 23 || clock[4] > 59) return undefined
  const offsetMinutes = (sign === '-' ? -1 : 1) * (clock[3] * 60 + clock[4])
  const msOfDay =
    (clock[0] * 60 + clock[1] - offsetMinutes) * 60_000 + clock[2] * 1_000 + Number(fraction.slice(0, 3).padEnd(3, '0'))
  const ms = BigInt(daysFromCivil(year, Number(month), Number(day))) * BigInt(msPerDay) + BigInt(msOfDay)
  return BigInt.asIntN(64, ms) === ms ? ms : undefined
}

/** ms since 1970 as text; split into day and time of day before it becomes a double, which holds both exactly. */
function formatMs(ms: bigint): string {
  const perDay = BigInt(msPerDay)
  const remainder = ms % perDay
  const msOfDay = remainder < 0n ? remainder + perDay : remainder
  return formatDayAndMs(Number((ms - msOfDay) / perDay), Number(msOfDay))
}

/** As `formatMs`, for what a double holds. */
function formatSafeMs(ms: number): string {
  const days = Math.floor(ms / msPerDay)
  return formatDayAndMs(days, ms - days * msPerDay)
}

function formatDayAndMs(days: number, msOfDay: number): string {
  const seconds = Math.floor(msOfDay / 1_000)
  const minutes = Math.floor(seconds / 60)
  const ms = msOfDay - seconds * 1_000
  const fraction = `${String(Math.floor(ms / 100))}${padTwo(ms % 100)}`
  const time = `${padTwo(Math.floor(minutes / 60))}:${padTwo(minutes % 60)}:${padTwo(seconds % 60)}`
  return `${formatCivilDate(civilFromDays(days))}T${time}.${fraction}Z`
}
