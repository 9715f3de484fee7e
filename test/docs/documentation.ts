import { readdirSync, readFileSync } from 'node:fs'

export const repository = new URL('../../', import.meta.url)

/** A page of the documentation. */
export interface Page {
  /** From the root of the repository: `docs/errors.md`. */
  readonly path: string
  readonly text: string
}

/** A fenced block of code. */
export interface CodeBlock {
  readonly page: string
  /** Line of the page on which the code begins, from 1 on. */
  readonly line: number
  readonly language: string
  /** What follows the language in the opening fence. */
  readonly info: string
  /** Without the fences; ends with a newline. */
  readonly code: string
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(new URL(path, repository), 'utf8') }
}

/** All pages under docs/. */
export function pages(): readonly Page[] {
  return readdirSync(new URL('docs/', repository))
    .filter((name) => name.endsWith('.md'))
    .toSorted()
    .map((name) => readPage(`docs/${name}`))
}

export function codeBlocks({ path, text }: Page): readonly CodeBlock[] {
  return [...text.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [, language = '', info = '', code = ''] = match
    const line = text.slice(0, match.index).split('\n').length + 1
    return { page: path, line, language, info: info.trim(), code }
  })
}

/** A markdown table's body as cells, of the first table under a heading; code marks and escapes are taken off. */
export function tableUnder({ path, text }: Page, heading: string): readonly (readonly string[])[] {
  const start = text.split('\n').indexOf(heading)
  if (start === -1) throw new Error(`${path} has no heading "${heading}"`)
  const lines = text.split('\n').slice(start + 1)
  const from = lines.findIndex((line) => line.startsWith('|'))
  const length = lines.slice(from).findIndex((line) => !line.startsWith('|'))
  return lines
    .slice(from, length === -1 ? undefined : from + length)
    .slice(2)
    .map(cellsOf)
}

function cellsOf(line: string): readonly string[] {
  return line
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) =>
      cell
        .trim()
        .replaceAll(String.raw`\|`, '|')
        .replaceAll(/\\([<>*_])/g, '$1'),
    )
}

/** A markdown table; cells are markdown. Prettier aligns it. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lineOf = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`
  return [lineOf(head), lineOf(head.map(() => '---')), ...rows.map(lineOf)].join('\n')
}
