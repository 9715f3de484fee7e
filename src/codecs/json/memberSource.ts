import { endOfString, endOfValue, skipSpace } from './scanJson.ts'

/** Where a value stands in its text: from `start` up to, not including, `end`. */
export interface SourceRange {
  readonly start: number
  readonly end: number
}

/**
 * The exact source text of one member of the object that the text is, without the whitespace around it; undefined when
 * there is no such member or the text is not an object. Of duplicate keys the last counts; a key is compared after
 * its escapes are resolved. The text must be one that `parseJson` has accepted. Linear, no recursion.
 *
 * The result shares the text's memory: keep it no longer than the message.
 */
export function memberSource(text: string, name: string): string | undefined {
  let start = -1
  let end = -1
  visitMembers(text, 0, (keyStart, keyEnd, valueStart, valueEnd) => {
    if (!isKey(text, keyStart, keyEnd, name)) return
    start = valueStart
    end = valueEnd
  })
  return start < 0 ? undefined : text.slice(start, end)
}

/**
 * All members of the object that starts at `from` (whitespace before it is skipped), in the order of their first
 * appearance, with the range of their last value. Empty when no object starts there.
 */
export function topLevelMembers(text: string, from = 0): ReadonlyMap<string, SourceRange> {
  const members = new Map<string, SourceRange>()
  visitMembers(text, from, (keyStart, keyEnd, start, end) => {
    members.set(keyOf(text, keyStart, keyEnd), { start, end })
  })
  return members
}

/** Calls back per member with the ranges of its key (quotes included) and its value. */
function visitMembers(
  text: string,
  from: number,
  visit: (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => void,
): void {
  let at = skipSpace(text, from)
  if (text[at] !== '{') return
  at = skipSpace(text, at + 1)
  while (text[at] === '"') {
    const keyStart = at
    const keyEnd = endOfString(text, keyStart)
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const valueEnd = endOfValue(text, valueStart)
    visit(keyStart, keyEnd, valueStart, valueEnd)
    // Past the comma, or past the brace that ends the object.
    const separator = skipSpace(text, valueEnd)
    if (text[separator] !== ',') return
    at = skipSpace(text, separator + 1)
  }
}

function isKey(text: string, start: number, end: number, name: string): boolean {
  // An escape is longer than what it stands for, so equal length means equal spelling or no match.
  if (end - start - 2 === name.length) return text.startsWith(name, start + 1) && keyOf(text, start, end) === name
  return end - start - 2 > name.length && keyOf(text, start, end) === name
}

function keyOf(text: string, start: number, end: number): string {
  const key = text.slice(start + 1, end - 1)
  return key.includes('\\') ? String(JSON.parse(text.slice(start, end))) : key
}
