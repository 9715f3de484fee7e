import { TidemarkError } from '../../core/errors.ts'
import { JsonNumber } from './jsonNumber.ts'
import { endOfString } from '../../core/storedJson.ts'
import { skipSpace } from './scanJson.ts'

/** `malformed-json` with its place in the text. The sentence never quotes the text: it goes into logs and headers. */
export function malformedJson(text: string, offset: number, problem: string): TidemarkError {
  let line = 1
  let lineStart = 0
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', lineStart)) {
    line += 1
    lineStart = at + 1
  }
  const column = offset - lineStart + 1
  return new TidemarkError(
    'malformed-json',
    `The value is not valid JSON at line ${String(line)}, column ${String(column)}: ${problem}.`,
    { details: { line, column, offset } },
  )
}

const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
const needsUnescape = /[\\\u0000-\u001f]/

/**
 * Strict JSON (what `JSON.parse` takes, nothing else), where a number that a double does not give back becomes a
 * `JsonNumber`. A reviver with `context.source` says the same, six times slower on an array of numbers.
 *
 * Recursive: the caller bounds the depth. Throws `malformed-json` with line and column.
 */
export function parseExact(text: string): unknown {
  let at = 0

  function value(): unknown {
    at = skipSpace(text, at)
    switch (text[at]) {
      case '"':
        return string()
      case '{':
        return object()
      case '[':
        return array()
      case 't':
        return word('true', true)
      case 'f':
        return word('false', false)
      case 'n':
        return word('null', null)
      default:
        return number()
    }
  }

  function object(): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    at = skipSpace(text, at + 1)
    if (text[at] === '}') {
      at += 1
      return result
    }
    for (;;) {
      at = skipSpace(text, at)
      if (text[at] !== '"') throw malformedJson(text, at, 'expected a member name in double quotes')
      const key = string()
      at = skipSpace(text, at)
      if (text[at] !== ':') throw malformedJson(text, at, 'expected a colon')
      at += 1
      const member = value()
      // Assignment to this one name would set the prototype.
      if (key === '__proto__') {
        Object.defineProperty(result, key, { value: member, writable: true, enumerable: true, configurable: true })
      } else result[key] = member
      at = skipSpace(text, at)
      const next = text[at]
      if (next !== ',' && next !== '}') throw malformedJson(text, at, 'expected a comma or }')
      at += 1
      if (next === '}') return result
    }
  }

  function array(): unknown[] {
    const result: unknown[] = []
    at = skipSpace(text, at + 1)
    if (text[at] === ']') {
      at += 1
      return result
    }
    for (;;) {
      result.push(value())
      at = skipSpace(text, at)
      const next = text[at]
      if (next !== ',' && next !== ']') throw malformedJson(text, at, 'expected a comma or ]')
      at += 1
      if (next === ']') return result
    }
  }

  function string(): string {
    const start = at
    at = endOfString(text, start)
    const source = text.slice(start, at)
    // JSON.parse of one string is strict about its inside. It also copies: a slice of 13 characters or more would keep
    // the whole message in memory for as long as, say, a table name sits in a cache.
    if (source.length < 15 && source.length > 1 && source.endsWith('"') && !needsUnescape.test(source)) {
      return source.slice(1, -1)
    }
    try {
      return String(JSON.parse(source))
    } catch {
      throw malformedJson(
        text,
        badCharacter(text, start, at),
        'a string has a bad escape, a control character or no end',
      )
    }
  }

  function number(): number | JsonNumber {
    numberToken.lastIndex = at
    const source = numberToken.exec(text)?.[0]
    if (source === undefined) throw malformedJson(text, at, 'expected a value')
    at += source.length
    const double = Number(source)
    return String(double) === source ? double : new JsonNumber(copyOf(source))
  }

  function word<T>(name: string, meaning: T): T {
    if (!text.startsWith(name, at)) throw malformedJson(text, at, 'expected a value')
    at += name.length
    return meaning
  }

  const result = value()
  at = skipSpace(text, at)
  if (at < text.length) throw malformedJson(text, at, 'expected the end of the text')
  return result
}

/** The same letters in memory of their own; see `string` above. */
function copyOf(source: string): string {
  return source.length < 13 ? source : String(JSON.parse(`"${source}"`))
}

/** Where in the string from `start` to `end` the first thing stands that JSON does not allow. */
function badCharacter(text: string, start: number, end: number): number {
  const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
  let at = start + 1
  while (at < end) {
    if (text.charCodeAt(at) < 0x20) return at
    if (text[at] !== '\\') at += 1
    else {
      escape.lastIndex = at
      if (!escape.test(text)) return at
      at = escape.lastIndex
    }
  }
  return end
}
