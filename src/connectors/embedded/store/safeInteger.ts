import * as t from 'io-ts'

/** A whole number that a double holds exactly, of at least `least`: JSON has 1e300, 0.5 and -1 as well. */
export function safeInteger(least: number): t.Type<number> {
  const name = `a whole number from ${String(least)} to 2^53 - 1`
  const isOne = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= least
  return new t.Type(
    name,
    isOne,
    (value, context) => (isOne(value) ? t.success(value) : t.failure(value, context)),
    t.identity,
  )
}
