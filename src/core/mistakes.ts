import { TidemarkError } from './errors.ts'
import { formatPosition, StreamRecord } from './record.ts'

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

/**
 * A mistake in the job itself, met at the first record that shows it: a function that returns what it cannot, or a value
 * that is no record. TypeScript finds most of them; a job in JavaScript, or one with `any`, comes here. It stops the job, and
 * is never restarted or sent to `onError`: every record would show it.
 */
export function misuse(operator: string, sentence: string, record?: unknown): TidemarkError {
  const at = record instanceof StreamRecord ? ` (${formatPosition(record)})` : ''
  return new TidemarkError('misused-operator', `${operator}${at}: ${sentence}`, { details: { operator } })
}

/** Throws where an operator was handed something else than a record by what stands before it. */
export function checkRecord(operator: string, value: unknown): void {
  if (value instanceof StreamRecord || isRecordOfAnotherCopy(value)) return
  throw misuse(operator, `it was given ${nameOf(value)} instead of a record. ${remedyForRecord(value)}`)
}

/** What to write in place of a value that was passed on without its record. */
export function remedyForRecord(value: unknown): string {
  if (isPromise(value)) return asyncRemedy
  if (value === undefined) return 'A function before it returned nothing: is a return missing?'
  return 'Let the function before it keep the record: map((record) => record.withValue(…)).'
}

export const asyncRemedy =
  'An operator passes on what its function returns at once, and async functions return promises: await in the lookup function of asyncLookup, whose result is passed on.'

export function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** A value as it is called in a sentence: `a Promise`, `a plain object`, `undefined`. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (isPromise(value)) return 'a Promise'
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'object') return `a ${typeof value}`
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return 'a plain object'
  const { name } = value.constructor
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`
}

function isRecordOfAnotherCopy(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'withValue' in value && 'offset' in value
}
