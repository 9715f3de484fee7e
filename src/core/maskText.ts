import { endOfString } from './storedJson.ts'

/** Stands for a secret. */
export const censored = '***'

/** The text with `***` for each match of a global expression; matches that overlap are one. */
export function maskText(text: string, pattern: RegExp): string {
  let masked = ''
  let end = 0
  pattern.lastIndex = 0
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    const { index } = found
    if (index >= end) masked += text.slice(end, index) + censored
    end = Math.max(end, index + found[0].length)
    // The next secret may begin within this one.
    pattern.lastIndex = index + ((text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1)
  }
  return end === 0 ? text : masked + text.slice(end)
}

/**
 * A JSON text with its strings and the names of its members masked by `mask`. Everything else stays character by character, so
 * that no number is rounded; names that become the same are numbered, so that none hides another.
 */
export function maskJsonText(json: string, mask: (text: string) => string): string {
  let masked = ''
  let end = 0
  const originals = new Map<string, string>()
  for (let begin = json.indexOf('"'); begin !== -1; begin = json.indexOf('"', end)) {
    masked += json.slice(end, begin)
    end = endOfString(json, begin)
    const token = json.slice(begin, end)
    const text: unknown = token.includes('\\') ? JSON.parse(token) : token.slice(1, -1)
    const shown = typeof text === 'string' ? mask(text) : text
    if (typeof text !== 'string' || typeof shown !== 'string' || shown === text) masked += token
    else if (isName(json, end)) masked += JSON.stringify(unlike(originals, text, shown))
    else masked += JSON.stringify(shown)
  }
  return masked + json.slice(end)
}

function isName(json: string, end: number): boolean {
  let at = end
  while (' \t\n\r'.includes(json[at] ?? '-')) at += 1
  return json[at] === ':'
}

function unlike(originals: Map<string, string>, name: string, shown: string): string {
  let unique = shown
  for (let i = 2; (originals.get(unique) ?? name) !== name; i += 1) unique = `${shown} ${String(i)}`
  originals.set(unique, name)
  return unique
}

const tag = /<[/!]?[a-z][^<>]*>/gi
const attributeValue = /(=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/g

/**
 * A page masked by `mask`, but for names of elements and attributes and for style sheets: a secret may be a word of theirs, and
 * the page would fall apart.
 */
export function maskHtmlText(html: string, mask: (text: string) => string): string {
  const lastStyleEnd = html.toLowerCase().lastIndexOf('</style')
  let masked = ''
  let end = 0
  let isStyle = false
  for (const { index, 0: found } of html.matchAll(tag)) {
    const text = html.slice(end, index)
    masked += isStyle ? text : mask(text)
    masked += found.replaceAll(attributeValue, (_, equals: string, value: string) => `${equals}${mask(value)}`)
    end = index + found.length
    if (/^<style\b/i.test(found)) isStyle = index < lastStyleEnd
    else if (/^<\/style\b/i.test(found)) isStyle = false
  }
  return masked + mask(html.slice(end))
}
