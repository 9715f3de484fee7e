import { posix } from 'node:path'
import { parseSync, Visitor, type StaticExportEntry } from 'oxc-parser'

/** What the architecture rules need to know of one source file. */
export interface SourceFile {
  /** Relative to the repository, with slashes. */
  readonly path: string
  readonly lines: number
  /** Every import, re-export, dynamic import and `import()` type, types included. */
  readonly imports: readonly Import[]
  /** True when the file exports something it imported. */
  readonly reExports: boolean
  /** What it defines for others, each name once; without a default export, which has none. */
  readonly exports: readonly Export[]
  /** Every identifier and every text of the code, each once; without the files that it imports. */
  readonly words: ReadonlySet<string>
  /** Where it reads the machine's clock or sets a timer, as the code says it. */
  readonly clockUses: readonly string[]
  /** Where it draws randomness, as the code says it. */
  readonly randomUses: readonly string[]
  /** Where it hands text to a terminal, a log or a browser by itself, as the code says it. */
  readonly outletUses: readonly string[]
}

export interface Export {
  readonly name: string
  readonly isType: boolean
}

export interface Import {
  readonly specifier: string
  /** The repository path behind a relative or self-referencing specifier; undefined for a package or a Node module. */
  readonly target: string | undefined
}

const timers = new Set(['setTimeout', 'setInterval', 'setImmediate', 'performance'])
const timeModules = new Set(['node:timers', 'node:timers/promises', 'node:perf_hooks'])
const random = new Set(['randomBytes', 'randomUUID', 'randomInt', 'randomFill', 'randomFillSync', 'getRandomValues'])
/** Of the process: its streams, and what else of it others see. */
const processOutlets = new Set(['stdout', 'stderr', 'title', 'emitWarning', 'report'])
const outletModules = new Set(['node:console', 'pino', 'pino-pretty'])
/** These default to rxjs's own scheduler, which reads the machine's clock. */
const rxjsTime = new Set(
  (
    'asyncScheduler animationFrameScheduler auditTime bufferTime debounceTime delay interval sampleTime throttleTime ' +
    'timeInterval timeout timeoutWith timer timestamp windowTime'
  ).split(' '),
)

/** Reads one file's text. Throws when the text is not TypeScript, so that a file is never silently skipped. */
export function parseSourceFile(path: string, text: string): SourceFile {
  const { program, module, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message ?? ''}`)
  const specifiers: string[] = []
  const clockUses: string[] = []
  const randomUses: string[] = []
  const outletUses: string[] = []
  const words = new Set<string>()
  // Names that are a property of something else, `queue.setTimeout`, and not the global.
  const propertyNames = new Set<number>()
  const named = ({ key, computed }: { readonly key: { readonly start: number }; readonly computed: boolean }): void => {
    if (!computed) propertyNames.add(key.start)
  }

  const visitor = new Visitor({
    ImportDeclaration({ source, specifiers: names }) {
      specifiers.push(source.value)
      if (timeModules.has(source.value)) clockUses.push(source.value)
      if (outletModules.has(source.value)) outletUses.push(source.value)
      for (const name of names) {
        if (name.type !== 'ImportSpecifier' || name.imported.type !== 'Identifier') continue
        if (source.value === 'rxjs' && rxjsTime.has(name.imported.name)) clockUses.push(`rxjs ${name.imported.name}`)
      }
    },
    ExportAllDeclaration: ({ source }) => void specifiers.push(source.value),
    ExportNamedDeclaration: ({ source }) => void (source !== null && specifiers.push(source.value)),
    TSImportType: ({ source }) => void specifiers.push(source.value),
    ImportExpression({ source }) {
      if (source.type === 'Literal' && typeof source.value === 'string') specifiers.push(source.value)
    },
    NewExpression({ callee, arguments: args }) {
      if (callee.type === 'Identifier' && callee.name === 'Date' && args.length === 0) clockUses.push('new Date()')
    },
    Property: named,
    MethodDefinition: named,
    PropertyDefinition: named,
    TSPropertySignature: named,
    TSMethodSignature: named,
    MemberExpression({ object, property, computed }) {
      // `io.stderr.write`, whoever `io` is.
      if (property.type === 'Identifier' && property.name === 'write' && object.type === 'MemberExpression') {
        const stream = object.property.type === 'Identifier' ? object.property.name : ''
        if (stream === 'stdout' || stream === 'stderr') outletUses.push(`${stream}.write`)
      }
      if (object.type !== 'Identifier' || computed || property.type !== 'Identifier') {
        if (!computed) propertyNames.add(property.start)
        return
      }
      if (object.name !== 'globalThis') propertyNames.add(property.start)
      const said = `${object.name}.${property.name}`
      if (object.name === 'process' && processOutlets.has(property.name)) outletUses.push(said)
      if (said === 'Date.now' || said === 'process.hrtime') clockUses.push(said)
      if (said === 'Math.random' || (object.name === 'crypto' && random.has(property.name))) randomUses.push(said)
    },
    Literal({ value }) {
      if (typeof value === 'string') words.add(value)
    },
    TemplateElement: ({ value }) => void words.add(value.raw),
    Identifier({ name, start }) {
      words.add(name)
      if (propertyNames.has(start)) return
      if (timers.has(name)) clockUses.push(name)
      if (random.has(name)) randomUses.push(name)
      if (name === 'console') outletUses.push(name)
    },
  })
  visitor.visit(program)
  for (const specifier of specifiers) words.delete(specifier)
  // A module that is loaded by `require`.
  const required = [...words].filter((word) => /^[a-z][\w-]*(?:\/[\w.-]+)+\.js$/.test(word))
  const entries = module.staticExports.flatMap((statement) => statement.entries)

  return {
    path,
    lines: text.trimEnd().split('\n').length,
    imports: [...specifiers, ...required].map((specifier) => ({ specifier, target: targetOf(path, specifier) })),
    reExports: entries.some((entry) => entry.moduleRequest !== null),
    exports: ownExports(entries),
    words,
    clockUses,
    randomUses,
    outletUses,
  }
}

function ownExports(entries: readonly StaticExportEntry[]): readonly Export[] {
  const found = new Map<string, Export>()
  for (const { moduleRequest, exportName, isType } of entries) {
    const { name } = exportName
    if (moduleRequest !== null || name === null) continue
    // A codec and its type share a name, and so do the overloads of a function.
    found.set(name, { name, isType: isType && (found.get(name)?.isType ?? true) })
  }
  return [...found.values()]
}

function targetOf(path: string, specifier: string): string | undefined {
  if (specifier === 'tidemark') return 'src/index.ts'
  if (specifier === 'tidemark/testing') return 'src/testing/index.ts'
  return specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined
}
