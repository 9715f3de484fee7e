import type { SourceFile } from './sourceFile.ts'

/** A broken rule: which file, and what is wrong with it. */
export interface Violation {
  readonly path: string
  readonly problem: string
}

const everythingBelow = [
  'core',
  'lookup',
  'codecs',
  'tables',
  'files',
  'operators',
  'leveldb',
  'connectors',
  'state',
  'runtime',
]

/** Which folders of ours a folder may import, besides itself. A folder that is not named here does not belong. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  codecs: ['core'],
  // What asyncLookup does with records, requests and answers; operators/asyncLookup.ts is its door.
  lookup: ['core'],
  // Types, rows and keys of the tables of every system.
  tables: ['core', 'codecs'],
  // The data directory and the files in it: whose they are, and who may come to them.
  files: ['core'],
  operators: ['core', 'lookup', 'codecs', 'tables'],
  // What LevelDB leaves on a disk, read without it.
  leveldb: ['core', 'codecs', 'files'],
  state: ['core', 'codecs', 'files', 'leveldb'],
  connectors: ['core', 'codecs', 'tables', 'files'],
  'connectors/embedded': ['core', 'codecs', 'tables', 'files', 'leveldb'],
  runtime: ['core'],
  testing: everythingBelow,
  // The one file that hands the implementations to the runtime, which itself knows ports only.
  'composition.ts': everythingBelow,
  cli: [...everythingBelow, 'composition.ts', 'dashboard'],
  dashboard: everythingBelow,
  sql: everythingBelow,
  'index.ts': [...everythingBelow, 'composition.ts', 'cli'],
  jobs: ['index.ts'],
}

const publicIndexes = new Set(['src/index.ts', 'src/testing/index.ts'])

const clientLibraries: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['src/connectors/kafka/'],
  'cassandra-driver': ['src/connectors/cassandra/'],
  'prom-client': ['src/dashboard/'],
  // Pages are served by the dashboard, which masks secrets; the store's socket is for processes of this user.
  'node:http': ['src/dashboard/', 'src/connectors/embedded/'],
  level: ['src/leveldb/', 'src/state/', 'src/connectors/embedded/'],
  'classic-level': ['src/leveldb/', 'src/state/', 'src/connectors/embedded/'],
  'abstract-level': ['src/leveldb/', 'src/state/', 'src/connectors/embedded/'],
}

/** Each file imports only from the layers below it, and a connector never another connector. */
export function layerViolations(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap(({ path, imports }) => {
    const layer = layerOf(path)
    const allowed = mayImport[`${layer}/${connectorOf(path) ?? ''}`] ?? mayImport[layer]
    if (allowed === undefined) return [{ path, problem: `${layer} is not a folder of the layout` }]
    return imports.flatMap(({ specifier, target }) => {
      if (target === undefined) return []
      const other = layerOf(target)
      if (layer === 'connectors' && other === 'connectors' && connectorOf(path) !== connectorOf(target)) {
        return [{ path, problem: `imports ${specifier}: a connector does not know another connector` }]
      }
      const legal = other === layer || allowed.includes(other)
      return legal ? [] : [{ path, problem: `imports ${specifier}: ${layer} may not import ${other}` }]
    })
  })
}

/** A client library is imported in its own folder only. */
export function clientLibraryViolations(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap(({ path, imports }) =>
    imports.flatMap(({ specifier }) => {
      const homes = Object.entries(clientLibraries).find(
        ([name]) => specifier === name || specifier.startsWith(`${name}/`),
      )
      if (homes === undefined || homes[1].some((home) => path.startsWith(home))) return []
      return [{ path, problem: `imports ${specifier}, which belongs in ${homes[1].join(' or ')}` }]
    }),
  )
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
export function clockAndRandomViolations(
  files: readonly SourceFile[],
  exceptions: Readonly<Record<string, string>>,
): readonly Violation[] {
  return files
    .filter(({ path }) => !path.startsWith('src/testing/') && exceptions[path] === undefined)
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
export function outletViolations(
  files: readonly SourceFile[],
  outlets: Readonly<Record<string, string>>,
): readonly Violation[] {
  return files
    .filter(({ path }) => outlets[path] === undefined)
    .flatMap(({ path, outletUses }) =>
      outletUses.map((use) => ({
        path,
        problem: `${use}: print by the Printer or the Logger, which know the secrets`,
      })),
    )
}

/** A file is read in one sitting. */
export function longFiles(files: readonly SourceFile[], maxLines: number): readonly Violation[] {
  return files
    .filter(({ lines }) => lines > maxLines)
    .map(({ path, lines }) => ({ path, problem: `${lines} lines, more than ${maxLines}: split it by idea` }))
}

function layerOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  return top === 'src' ? second : top
}

function connectorOf(path: string): string | undefined {
  return path.split('/')[2]
}
