import { doors, homes, layers, testRooms, walk } from './page.ts'
import type { SourceFile } from './sourceFile.ts'

/** A broken rule: which file, and what is wrong with it. */
export interface Violation {
  readonly path: string
  readonly problem: string
}

const publicIndexes = new Set(['src/index.ts', 'src/testing/index.ts'])

/** Each file imports only from what the row of its folder names, and a connector never another connector. */
export function layerViolations(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap(({ path, imports }) => {
    const layer = layerOf(path)
    if (layer === null) return [{ path, problem: 'is in no folder of docs/architecture.md' }]
    const allowed = layers.get(layer) ?? layers.get(anyConnector) ?? []
    return imports.flatMap(({ specifier, target }) => {
      if (target === undefined) return []
      const other = layerOf(target)
      const legal =
        other === layer || allowed.includes(other ?? '') || (isConnector(other) && allowed.includes(anyConnector))
      return legal ? [] : [{ path, problem: `imports ${specifier}: ${layer} may not import ${String(other)}` }]
    })
  })
}

/** A library, and a file that the page names beside them, is imported behind its door only. */
export function doorViolations(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap(({ path, imports }) =>
    imports.flatMap(({ specifier, target = specifier }) => {
      const [, door] = [...doors].find(([name]) => target === name || target.startsWith(`${name}/`)) ?? []
      if (door === undefined || door.some((place) => isIn(path, place))) return []
      return [{ path, problem: `imports ${specifier}, whose door is ${door.join(' or ')}` }]
    }),
  )
}

/** Operators that bear a system's name, with what is called after them. */
const namedByTheirOwner = /(?:from|to)Kafka(?:Transactional|Options)?|kafka-(?:source|sink)|cassandraRow/gi

/** Code outside a system's folder does not know it by name. */
export function namedSystems(files: readonly SourceFile[]): readonly Violation[] {
  return files
    .filter(({ path }) => !isIn(path, 'jobs') && path !== 'src/composition.ts')
    .flatMap(({ path, imports, words }) => {
      const connectors = imports.flatMap(({ target }) => (isConnector(layerOf(target ?? '')) ? [target ?? ''] : []))
      const said = [path, ...words, ...connectors].map((text) => text.replaceAll(namedByTheirOwner, ''))
      return [...homes].flatMap(([system, folders]) => {
        if (folders.some((folder) => isIn(path, folder))) return []
        const word = said.find((text) => text.toLowerCase().includes(system))
        return word === undefined ? [] : [{ path, problem: `names ${system}: ${word.trim().split('\n')[0] ?? ''}` }]
      })
    })
}

/** No two exported things share a name; the first in the order of the alphabet keeps it. */
export function sharedNames(files: readonly SourceFile[]): readonly Violation[] {
  const owners = new Map<string, string>()
  return files.flatMap(({ path, exports }) =>
    exports.flatMap(({ name }) => {
      const owner = owners.get(name)
      if (owner === undefined) owners.set(name, path)
      return owner === undefined ? [] : [{ path, problem: `exports ${name}, and so does ${owner}` }]
    }),
  )
}

/** A file that exports one thing is named as it, or by that part of its name which its folder does not say. */
export function hidingNames(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap(({ path, exports }) => {
    const values = exports.filter(({ isType }) => !isType)
    const only = values.length === 0 ? exports : values
    const name = /(\w+)\.ts$/.exec(path)?.[1] ?? ''
    if (only.length !== 1 || exports.some((each) => each.name.toLowerCase().includes(name.toLowerCase()))) return []
    return [{ path, problem: `exports ${only[0]?.name ?? ''}` }]
  })
}

/** Each file of the walk is there, and knows one of another step or is known by it. */
export function walkViolations(files: readonly SourceFile[]): readonly Violation[] {
  const imports = new Map(files.map((file) => [file.path, new Set(file.imports.map(({ target }) => target))]))
  return walk.flatMap((step) => {
    const others = walk.filter((other) => other !== step).flat()
    return step.flatMap((path) => {
      const known = imports.get(path)
      if (known === undefined) return [{ path, problem: 'is in the walk and does not exist' }]
      if (others.some((other) => known.has(other) || imports.get(other)?.has(path) === true)) return []
      return [{ path, problem: 'is in the walk, and no other file of it knows it' }]
    })
  })
}

/** A test stands where its source's path says, or in a room of its own. */
export function strayTests(tests: readonly SourceFile[], sources: readonly SourceFile[]): readonly Violation[] {
  const folders = new Set(sources.map(({ path }) => path.replace(/^src\//, '').replace(/\/[^/]+$/, '')))
  return tests.flatMap(({ path }) => {
    const folder = /^test\/(.+)\/[^/]+\.test\.ts$/.exec(path)?.[1]
    if (folder === undefined || testRooms.includes(folder.split('/')[0] ?? '')) return []
    if ([...folders, 'bench'].some((each) => isIn(each, folder))) return []
    return [{ path, problem: `stands in ${folder}, where no source stands` }]
  })
}

/** No file reaches itself through its imports, types included. Each cycle is told once, from its first file on. */
export function cycles(files: readonly SourceFile[]): readonly Violation[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const state = new Map<string, 'open' | 'done'>()
  const found: Violation[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'open') {
      const ring = [...trail.slice(trail.indexOf(path)), path]
      found.push({ path, problem: `is in a cycle: ${ring.join(' -> ')}` })
      return
    }
    if (state.get(path) === 'done') return
    state.set(path, 'open')
    for (const { target } of byPath.get(path)?.imports ?? []) {
      if (target !== undefined && byPath.has(target)) visit(target, [...trail, path])
    }
    state.set(path, 'done')
  }
  for (const { path } of files) visit(path, [])
  return found
}

/** Only the public indexes export what other files define. */
export function barrels(files: readonly SourceFile[]): readonly Violation[] {
  return files
    .filter(({ path, reExports }) => !publicIndexes.has(path) && (reExports || path.endsWith('/index.ts')))
    .map(({ path }) => ({ path, problem: 're-exports another file: import that file where it is needed' }))
}

/** Time comes from the Clock port and randomness from the Random port, so that a test can hold both. */
export function clockAndRandomViolations(files: readonly SourceFile[]): readonly Violation[] {
  return files
    .filter(({ path }) => !path.startsWith('src/testing/'))
    .flatMap(({ path, clockUses, randomUses }) => [
      ...(path === 'src/core/ports/clock.ts' ? [] : clockUses).map((use) => ({
        path,
        problem: `${use}: use the Clock port`,
      })),
      ...(path === 'src/core/ports/random.ts' ? [] : randomUses).map((use) => ({
        path,
        problem: `${use}: use the Random port`,
      })),
    ])
}

/**
 * Text leaves the process by the printer, the logger and the page, which mask secrets and escape what cannot be seen: who wrote
 * to a terminal by himself would do neither.
 */
export function outletViolations(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap(({ path, outletUses }) =>
    outletUses.map((use) => ({ path, problem: `${use}: print by the Printer or the Logger, which know the secrets` })),
  )
}

const anyConnector = 'src/connectors/<x>'

/** The row of the page that a file stands in, the longest one; each connector is a layer of its own. */
function layerOf(path: string): string | null {
  const connector = /^src\/connectors\/[^/]+(?=\/)/.exec(path)?.[0]
  if (connector !== undefined) return connector
  return [...layers.keys()].find((row) => isIn(path, row)) ?? null
}

function isConnector(layer: string | null): boolean {
  return layer?.startsWith('src/connectors/') ?? false
}

function isIn(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`)
}
