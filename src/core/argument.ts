import { TidemarkError } from './errors.ts'

/** Where an argument stands, and a value it could have: what every refusal names. */
export interface ArgumentPlace {
  readonly operator: string
  readonly option: string
  /** As it would be written in the job file. */
  readonly example: string
}

/** The error of an argument that an operator cannot take; thrown while the pipeline is built, before any read. */
export function invalidArgument(
  { operator, option, example }: ArgumentPlace,
  value: unknown,
  needs: string,
): TidemarkError {
  return new TidemarkError(
    'invalid-argument',
    `${operator}: option ${option} must be ${needs}, not ${shown(value)}; for example ${example}`,
    { details: { operator, option } },
  )
}

/** A whole number from `least` on (1 by default), up to `most`. */
export function checkWhole(
  place: ArgumentPlace,
  value: number,
  least = 1,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  const range =
    most === Number.MAX_SAFE_INTEGER ? `of at least ${String(least)}` : `from ${String(least)} to ${String(most)}`
  throw invalidArgument(place, value, `a whole number ${range}`)
}

/** One of a few words. */
export function checkWord<const Word extends string>(place: ArgumentPlace, value: Word, words: readonly Word[]): Word {
  if (words.includes(value)) return value
  throw invalidArgument(place, value, `one of ${words.map((word) => `'${word}'`).join(', ')}`)
}

/** A text that is not empty. */
export function checkText(place: ArgumentPlace, value: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw invalidArgument(place, value, 'a text that is not empty')
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  return typeof value
}
