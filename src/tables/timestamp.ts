import { civilFromDays, daysFromCivil, formatCivilDate, isCivilDate, padTwo, parseYear } from './civilDate.ts'
import type { Conversion } from './conversion.ts'
import { bigintText } from './integers.ts'

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
  if (typeof value === 'string') return isCanonical(value) ? value : isoText(value)
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

function isoText(text: string): string | undefined {
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
  return BigInt.asIntN(64, ms) === ms ? formatMs(ms) : undefined
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
