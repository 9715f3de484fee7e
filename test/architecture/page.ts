import { readPage, tableUnder } from '../docs/documentation.ts'

const path = 'docs/architecture.md'
const page = readPage(path)

/** Folders or files, in the order of the layers, and what each may import besides itself. */
export const layers: ReadonlyMap<string, readonly string[]> = readLayers()

/** Libraries, and the folders or files that alone import them. */
export const doors: ReadonlyMap<string, readonly string[]> = new Map(
  tableUnder(page, '## Doors').flatMap(([libraries = '', door = '']) =>
    quoted(libraries).map((library) => [library, quoted(door)] as const),
  ),
)

/** Systems, and the folders whose code may name them. */
export const homes: ReadonlyMap<string, readonly string[]> = new Map(
  tableUnder(page, '## Systems').map(([system = '', folders = '']) => [quoted(system)[0] ?? '', quoted(folders)]),
)

/** Folders of tests that mirror no folder of the sources. */
export const testRooms: readonly string[] = tableUnder(page, '## Tests').flatMap(([folders = '']) => quoted(folders))

/** The files of the walk, step by step; several of one step stand for each other in different worlds. */
export const walk: readonly (readonly string[])[] = [...page.text.matchAll(/^\d+\. ((?:`[^`]+`(?: or )?)+)/gm)].map(
  ([, files = '']) => quoted(files),
)

function readLayers(): ReadonlyMap<string, readonly string[]> {
  const rows = new Map<string, readonly string[]>()
  for (const [folder = '', , imports = ''] of tableUnder(page, '## Layers')) {
    const above = [...rows.keys()]
    const named = quoted(imports)
    const until = imports.startsWith('everything up to') ? above.indexOf(named[0] ?? '') + 1 : above.length
    rows.set(quoted(folder)[0] ?? '', imports.startsWith('everything') ? above.slice(0, until) : named)
  }
  return rows
}

/** What stands between backquotes. */
function quoted(markdown: string): readonly string[] {
  return [...markdown.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
}
