import * as t from 'io-ts'

/** Any JSON that was stored; undefined for bytes or a text that are none. */
export function parseStored(stored: Buffer | string | null): unknown {
  if (stored === null) return undefined
  try {
    return JSON.parse(stored.toString())
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An epoch, an offset, a generation: what is counted from 0 on. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** What a guard takes, as a part of the shape of what was stored. */
export function storedAs<A>(name: string, is: t.Is<A>): t.Type<A> {
  return new t.Type(name, is, (value, at) => (is(value) ? t.success(value) : t.failure(value, at)), t.identity)
}

export const storedCount: t.Type<number> = storedAs('count', isCount)

const backslash = 0x5c

/** The index after the string whose opening quote stands at `open`; the text's length when the string has no end. */
export function endOfString(text: string, open: number): number {
  let from = open + 1
  for (;;) {
    const close = text.indexOf('"', from)
    if (close < 0) return text.length
    // A quote after an odd number of backslashes belongs to the string.
    let before = close - 1
    while (before >= from && text.charCodeAt(before) === backslash) before -= 1
    if ((close - before) % 2 === 1) return close + 1
    from = close + 1
  }
}
