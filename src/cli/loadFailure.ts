import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { TidemarkError, messageOf, codeOf } from '../core/errors.ts'
import { userFrame } from '../core/userFrame.ts'

/** Where a module cannot be read, as Node shows it: the line, with its neighbours and a mark under it. */
interface CodeFrame {
  readonly file: string
  readonly line: number
  readonly text: string
}

/** Why a job file, or a file that it imports, cannot be loaded: place, reason, and what to do about it. */
export function loadFailure(error: unknown, file: string, shown: (absolute: string) => string): TidemarkError {
  const frame = codeFrameOf(error) ?? (isPlainSyntaxError(error) ? checkedFrame(file) : null)
  const at = frame === null ? userFrame(error) : null
  const place = frame === null ? (at === null ? '' : `, at ${at}`) : `, in ${shown(frame.file)}:${String(frame.line)}`
  const remedy = remedyFor(error, shown)
  const message = [
    `The job file ${shown(file)} cannot be loaded: ${messageOf(error).replace(/[.\s]+$/, '')}${place}.${remedy === '' ? '' : ` ${remedy}`}`,
    ...(frame === null ? [] : [frame.text]),
  ].join('\n')
  return new TidemarkError('job-not-loaded', message, { cause: error, details: { path: shown(file) } })
}

/** Node puts the frame before the name of the error: `file:///…/orders.ts:4`, lines, an empty line, the error. */
function codeFrameOf(error: unknown): CodeFrame | null {
  if (!(error instanceof SyntaxError)) return null
  return parseFrame(error.stack ?? '')
}

function parseFrame(text: string): CodeFrame | null {
  const [head = '', ...lines] = text.split('\n')
  const [, location, line] = /^(.+):(\d+)$/.exec(head) ?? []
  if (location === undefined || !/^(file:|\/|[A-Za-z]:\\)/.test(location)) return null
  const end = lines.findIndex((each) => /^(\w*Error\b|\s+at )/.test(each))
  const shownLines = lines.slice(0, end === -1 ? undefined : end)
  return {
    file: location.startsWith('file:') ? fileURLToPath(location) : location,
    line: Number(line),
    text: shownLines
      .map((each) => `  ${each}`)
      .join('\n')
      .trimEnd(),
  }
}

function isPlainSyntaxError(error: unknown): boolean {
  return error instanceof SyntaxError && !('code' in error)
}

/** Of JavaScript Node tells the place only to the process that ends with it, so one is let end with it. */
function checkedFrame(file: string): CodeFrame | null {
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 10_000 })
  return parseFrame(stderr)
}

function remedyFor(error: unknown, shown: (absolute: string) => string): string {
  const code = codeOf(error)
  const message = messageOf(error)
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') return unsupportedSyntaxRemedy(message)
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_UNSUPPORTED_DIR_IMPORT') return missingModuleRemedy(error)
  const [, module, name] = /module '(.+)' does not provide an export named '(.+)'/.exec(message) ?? []
  if (module !== undefined && name !== undefined) {
    return `If ${name} is a type, import it as one: import type { ${name} } from '${module}' (types are left out before the file runs; "verbatimModuleSyntax": true in tsconfig.json lets the editor say so). Else ${shownModule(module, shown)} has no such export.`
  }
  return ''
}

/** Node leaves types out and compiles nothing. */
function unsupportedSyntaxRemedy(message: string): string {
  const instead = /enum/.test(message)
    ? "write the values as an object, const Colour = { red: 'red' } as const, and the type as (typeof Colour)[keyof typeof Colour]"
    : /parameter property/.test(message)
      ? 'declare the field in the class and assign it in the constructor'
      : /namespace|module/.test(message)
        ? 'move what it holds to a file of its own and export it there'
        : 'write it in JavaScript, with types only beside it'
  return `Node runs TypeScript by leaving the types out, and this is more than a type: ${instead} ("erasableSyntaxOnly": true in tsconfig.json lets the editor say so).`
}

function missingModuleRemedy(error: unknown): string {
  const url = error instanceof Error && 'url' in error && typeof error.url === 'string' ? error.url : null
  if (url?.startsWith('file:') !== true) {
    const [, name] = /Cannot find package '(.+?)'/.exec(messageOf(error)) ?? []
    return name === undefined
      ? ''
      : `Install it: npm install ${name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/')}`
  }
  const missing = fileURLToPath(url)
  const there = candidates(missing).find((file) => existsSync(file))
  if (there === undefined) return ''
  const written = path.basename(missing)
  const needed = path.relative(path.dirname(missing), there).replaceAll('\\', '/')
  return `Node needs the whole name of a file: write …/${needed} for …/${written} in the import.`
}

function candidates(missing: string): readonly string[] {
  const extensions = ['.ts', '.mts', '.js', '.mjs']
  return [
    ...extensions.map((extension) => `${missing}${extension}`),
    ...(/\.[mc]?js$/.test(missing) ? [missing.replace(/js$/, 'ts')] : []),
    ...extensions.map((extension) => path.join(missing, `index${extension}`)),
  ]
}

function shownModule(module: string, shown: (absolute: string) => string): string {
  return module.startsWith('file:') ? shown(fileURLToPath(module)) : module
}
