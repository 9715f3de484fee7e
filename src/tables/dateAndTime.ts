import { civilFromDays, daysFromCivil, formatCivilDate, isCivilDate, parseYear } from './civilDate.ts'
import type { Conversion } from './conversion.ts'

const dateSource = /^([0-9]{4}|[+-][0-9]{4,9})-([0-9]{2})-([0-9]{2})$/
const timeSource = /^([01]?[0-9]|2[0-3]):([0-5]?[0-9]):([0-5]?[0-9])(?:\.([0-9]{1,9}))?$/
const minDays = -(2 ** 31)
const maxDays = 2 ** 31 - 1

/** A date of CQL: 2^31 days either way of 1970-01-01, so from -5877641-06-23 to +5881580-07-11. */
export const dateText: Conversion = (value) => {
  const match = typeof value === 'string' ? dateSource.exec(value) : null
  if (match === null) return undefined
  const [, yearText = '', monthText, dayText] = match
  const year = parseYear(yearText)
  const month = Number(monthText)
  const day = Number(dayText)
  if (year === undefined || !isCivilDate(year, month, day)) return undefined
  const days = daysFromCivil(year, month, day)
  return days < minDays || days > maxDays ? undefined : formatCivilDate(civilFromDays(days))
}

/** A time of day with nine digits of a second. */
export const timeText: Conversion = (value) => {
  const match = typeof value === 'string' ? timeSource.exec(value) : null
  if (match === null) return undefined
  const [, hours = '', minutes = '', seconds = '', fraction = ''] = match
  return `${[hours, minutes, seconds].map((part) => part.padStart(2, '0')).join(':')}.${fraction.padEnd(9, '0')}`
}
