/** A day of the proleptic Gregorian calendar; year 0 is 1 BC. */
export interface CivilDate {
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
export function parseYear(text: string): number | undefined {
  const year = Number(text)
  return Object.is(year, -0) ? undefined : year
}
