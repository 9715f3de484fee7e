import type { Conversion } from './conversion.ts'
import { numberSource } from './integers.ts'

const numberText = /^[+-]?(?=\.?[0-9])[0-9]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?$/
const nonFinite: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity'])
const smallestNormalFloat = 2 ** -126

/** Shortest text that reads back as the double, as ECMAScript writes it; -0 keeps its sign. */
function shortestDouble(number: number): string {
  return Object.is(number, -0) ? '-0' : String(number)
}

/**
 * Shortest text that reads back as the 32-bit float: the fewest significant digits that, read as a double and rounded
 * to a float, give it again. Nine always do; six always suffice to find any shorter one unless the float is subnormal.
 */
function shortestFloat(number: number): string {
  if (number === 0) return shortestDouble(number)
  for (let digits = Math.abs(number) < smallestNormalFloat ? 1 : 6; digits < 9; digits += 1) {
    const candidate = Number(number.toPrecision(digits))
    if (Math.fround(candidate) === number) return String(candidate)
  }
  return String(Number(number.toPrecision(9)))
}

function floating(round: (number: number) => number, format: (number: number) => string): Conversion {
  return (value) => {
    const text = numberSource(value)
    if (text === undefined) return undefined
    if (nonFinite.has(text)) return text
    if (!numberText.test(text)) return undefined
    const number = round(Number(text))
    // What overflows is not the value that was sent.
    return Number.isFinite(number) ? format(number) : undefined
  }
}

export const doubleText: Conversion = floating((number) => number, shortestDouble)
export const floatText: Conversion = floating(Math.fround, shortestFloat)

/** The JSON of a float's text: a number, or a string for what JSON has no number for. */
export function floatJson(text: string): string {
  return nonFinite.has(text) ? `"${text}"` : text
}
