import { Pair, parseLines } from 'dot-properties'

/** A key that a file sets more than once. */
export interface DuplicateKey {
  readonly key: string
  /** The line whose value counts, the last one. */
  readonly line: number
  /** The line whose value is overridden. */
  readonly overriddenLine: number
}

/** What a `.properties` file says. Lines count from 1; of duplicates the last wins. */
export interface Properties {
  readonly values: ReadonlyMap<string, string>
  /** The line on which each key stands, for messages like `application.properties:12`. */
  readonly lines: ReadonlyMap<string, number>
  /** In the order of the file; one entry for each overridden line. */
  readonly duplicates: readonly DuplicateKey[]
}

/**
 * Reads Java's `.properties` format: `key=value`, `key: value` or `key value`, `#` and `!` comments, a backslash at the
 * end of a line continues it, `\uXXXX` escapes. A byte order mark at the start is ignored. Every text is valid; a line
 * that is only a key has the empty value.
 */
export function parseProperties(text: string): Properties {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text
  const values = new Map<string, string>()
  const lines = new Map<string, number>()
  const overridden: { key: string; overriddenLine: number }[] = []
  const lineOf = lineCounter(source)
  for (const node of parseLines(source, true)) {
    if (!(node instanceof Pair)) continue
    const { key, value } = node
    const previous = lines.get(key)
    if (previous !== undefined) overridden.push({ key, overriddenLine: previous })
    values.set(key, value)
    lines.set(key, lineOf(node.range?.[0] ?? 0))
  }
  const duplicates = overridden.map(({ key, overriddenLine }) => ({ key, line: lines.get(key) ?? 0, overriddenLine }))
  return { values, lines, duplicates }
}

/** The line number of an index; indices must come in ascending order, so that the text is read once. */
function lineCounter(text: string): (index: number) => number {
  const lineEnd = /\r\n|\r|\n/g
  let line = 1
  return (index) => {
    for (;;) {
      const from = lineEnd.lastIndex
      const end = lineEnd.exec(text)
      if (end === null || lineEnd.lastIndex > index) {
        lineEnd.lastIndex = from
        return line
      }
      line += 1
    }
  }
}
