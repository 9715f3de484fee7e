import { endOfString } from '../../core/storedJson.ts'

/*
 * Linear walks over JSON text, without recursion. Those that come before the parse (`exceedsDepth`, `countValues`, `hasInexactNumber`)
 * take any text; the others rely on a text that `parseJson` has accepted.
 */

const quote = 0x22

/** The index of the first character at or after `at` that is not JSON whitespace. */
export function skipSpace(text: string, at: number): number {
  for (let index = at; ; index += 1) {
    const char = text.charCodeAt(index)
    if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) return index
  }
}

/** The index after the value that starts at `start`. */
export function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start)
  if (first === quote) return endOfString(text, start)
  if (first !== 0x7b && first !== 0x5b) return endOfScalar(text, start)
  let depth = 0
  let at = start
  while (at < text.length) {
    const char = text.charCodeAt(at)
    if (char === quote) {
      at = endOfString(text, at)
      continue
    }
    at += 1
    // { and [, } and ]: each pair differs in one bit only.
    if ((char & 0xdf) === 0x5b) depth += 1
    else if ((char & 0xdf) === 0x5d) {
      depth -= 1
      if (depth === 0) return at
    }
  }
  return at
}

function endOfScalar(text: string, start: number): number {
  let at = start
  while (at < text.length) {
    const char = text.charCodeAt(at)
    // Space, control characters, comma, ] and } end a number or a word.
    if (char <= 0x20 || char === 0x2c || char === 0x5d || char === 0x7d) return at
    at += 1
  }
  return at
}

/** True when arrays and objects nest deeper than `maxDepth`. */
export function exceedsDepth(text: string, maxDepth: number): boolean {
  // Every level takes two characters; a shorter text that opens more levels than that does not close them.
  if (text.length < 2 * (maxDepth + 1)) return false
  let depth = 0
  let at = 0
  while (at < text.length) {
    const char = text.charCodeAt(at)
    if (char === quote) {
      at = endOfString(text, at)
      continue
    }
    at += 1
    if (char === 0x7b || char === 0x5b) {
      depth += 1
      if (depth > maxDepth) return true
    } else if (char === 0x7d || char === 0x5d) depth -= 1
  }
  return false
}

/**
 * How many values a text holds, at least, or `most + 1` for more than `most`: arrays, objects, and what stands between their
 * commas. What a parser makes of them takes up to fifty times the memory of the text.
 */
export function countValues(text: string, most: number): number {
  let values = 1
  let at = 0
  while (at < text.length && values <= most) {
    const char = text.charCodeAt(at)
    if (char === quote) {
      at = endOfString(text, at)
      continue
    }
    at += 1
    if (char === 0x2c || char === 0x7b || char === 0x5b) values += 1
  }
  return values
}

/**
 * Numbers that a double is known to give back letter by letter: at most 15 digits, no exponent, no superfluous zero,
 * nothing so small that JavaScript prints an exponent.
 */
const safeNumber = /(?:-?[1-9]\d{0,14}|0|-?(?:0|[1-9]\d{0,8})\.\d{0,5}[1-9])(?![\d.eE])/y

/** False when every number of the text survives the way through a double; true when one may not. */
export function hasInexactNumber(text: string): boolean {
  let at = 0
  while (at < text.length) {
    const char = text.charCodeAt(at)
    if (char === quote) at = endOfString(text, at)
    else if (char === 0x2d || (char >= 0x30 && char <= 0x39)) {
      safeNumber.lastIndex = at
      if (!safeNumber.test(text)) return true
      at = safeNumber.lastIndex
    } else at += 1
  }
  return false
}

const surrogateEscape = /\\u[dD][89a-fA-F]/
/** An escape: a whole pair, half of one, or anything else. */
const escape = /\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]|(u[dD][89a-fA-F])|.)/g

/** The index of the first escape that makes half a surrogate pair, or -1. */
export function loneSurrogateEscape(text: string): number {
  if (!surrogateEscape.test(text)) return -1
  for (const { index, 1: half } of text.matchAll(escape)) if (half !== undefined) return index
  return -1
}
