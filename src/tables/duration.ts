import type { Conversion } from './cqlType.ts'

/** The three counts that Cassandra keeps of a duration; none is converted into another. All have one sign. */
export interface CqlDuration {
  readonly months: number
  readonly days: number
  readonly nanoseconds: bigint
}

const isoSource =
  /^(-?)P(?=.)(?:(\d{1,19})Y)?(?:(\d{1,19})M)?(?:(\d{1,19})W)?(?:(\d{1,19})D)?(?:T(?=.)(?:(\d{1,19})H)?(?:(\d{1,19})M)?(?:(\d{1,19})(?:\.(\d{1,9}))?S)?)?$/
const cqlSource =
  /^(-?)(?=.)(?:(\d{1,19})y)?(?:(\d{1,19})mo)?(?:(\d{1,19})w)?(?:(\d{1,19})d)?(?:(\d{1,19})h)?(?:(\d{1,19})m)?(?:(\d{1,19})s)?(?:(\d{1,19})ms)?(?:(\d{1,19})[uµ]s)?(?:(\d{1,19})ns)?$/i

const maxInt32 = 2n ** 31n - 1n
const maxInt64 = 2n ** 63n - 1n
const nsPerSecond = 1_000_000_000n

/**
 * Reads `P1Y2M3DT4H5M6.7S` (ISO 8601; also weeks, and any unit beyond its carry, `P14M`) or Cassandra's own
 * `1y2mo3d4h5m6s700ms`, either with a leading minus. Undefined for another text or counts that Cassandra cannot hold.
 */
export function parseDuration(text: string): CqlDuration | undefined {
  const iso = isoSource.exec(text)
  const match = iso ?? cqlSource.exec(text)
  if (match === null) return undefined
  const count = (group: number): bigint => BigInt(match[group] ?? 0)
  const subSecond =
    iso === null ? count(9) * 1_000_000n + count(10) * 1_000n + count(11) : BigInt((match[9] ?? '').padEnd(9, '0'))
  const months = count(2) * 12n + count(3)
  const days = count(4) * 7n + count(5)
  const nanoseconds = (count(6) * 3_600n + count(7) * 60n + count(8)) * nsPerSecond + subSecond
  const negative = match[1] === '-'
  // Two's complement: there is one more below zero.
  const spare = negative ? 1n : 0n
  if (months > maxInt32 + spare || days > maxInt32 + spare || nanoseconds > maxInt64 + spare) return undefined
  const sign = negative ? -1n : 1n
  return { months: Number(sign * months), days: Number(sign * days), nanoseconds: sign * nanoseconds }
}

/** ISO 8601 with the carries that lose nothing: 12 months a year, 60 seconds, 60 minutes; zero is `PT0S`. */
export function formatDuration({ months, days, nanoseconds }: CqlDuration): string {
  const negative = months < 0 || days < 0 || nanoseconds < 0n
  const totalMonths = Math.abs(months)
  const totalNs = nanoseconds < 0n ? -nanoseconds : nanoseconds
  const unit = (amount: number | bigint, letter: string): string =>
    Number(amount) === 0 ? '' : `${String(amount)}${letter}`
  const date = `${unit(Math.floor(totalMonths / 12), 'Y')}${unit(totalMonths % 12, 'M')}${unit(Math.abs(days), 'D')}`
  const totalSeconds = totalNs / nsPerSecond
  const fraction = String(totalNs % nsPerSecond)
    .padStart(9, '0')
    .replace(/0+$/, '')
  const seconds = String(totalSeconds % 60n)
  const secondsPart = fraction === '' ? unit(totalSeconds % 60n, 'S') : `${seconds}.${fraction}S`
  const time = `${unit(totalSeconds / 3_600n, 'H')}${unit((totalSeconds / 60n) % 60n, 'M')}${secondsPart}`
  if (date === '' && time === '') return 'PT0S'
  return `${negative ? '-' : ''}P${date}${time === '' ? '' : `T${time}`}`
}

export const durationText: Conversion = (value) => {
  const duration = typeof value === 'string' ? parseDuration(value) : undefined
  return duration === undefined ? undefined : formatDuration(duration)
}
