import { endOfString } from '../../core/storedJson.ts'
import { endOfValue, skipSpace } from './scanJson.ts'

/**
 * The exact source text of one member of the object that the text is, without the whitespace around it; undefined when
 * there is no such member or the text is not an object. Of duplicate keys the last counts; a key is compared after
 * its escapes are resolved. The text must be one that `parseJson` has accepted. Linear, no recursion.
 *
 * The result shares the text's memory: keep it no longer than the message.
 */
export function memberSource(text: string, name: string): string | undefined {
  let source: string | undefined
  let at = skipSpace(text, 0)
  // An object's brace, and then the comma before each further member.
  for (let opening = '{'; text[at] === opening; opening = ',') {
    const keyStart = skipSpace(text, at + 1)
    // The object is empty.
    if (text[keyStart] !== '"') return source
    const keyEnd = endOfString(text, keyStart)
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = endOfValue(text, start)
    if (isKey(text, keyStart, keyEnd, name)) source = text.slice(start, end)
    at = skipSpace(text, end)
  }
  return source
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
