import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  barrels,
  clientLibraryViolations,
  clockAndRandomViolations,
  cycles,
  layerViolations,
  longFiles,
  outletViolations,
  type Violation,
} from './architecture/rules.ts'
import { parseSourceFile, type SourceFile } from './architecture/sourceFile.ts'

const repository = join(import.meta.dirname, '..')

const unreadable: string[] = []

function read(...patterns: readonly string[]): readonly SourceFile[] {
  return globSync(patterns, { cwd: repository })
    .toSorted()
    .flatMap((path) => {
      try {
        return [parseSourceFile(path, readFileSync(join(repository, path), 'utf8'))]
      } catch (error) {
        unreadable.push(String(error))
        return []
      }
    })
}

const sources = read('{src,operators,jobs}/**/*.ts')
const tests = read('{test,bench}/**/*.ts', '.ci/*.ts')

/** Files that may read the machine's clock or randomness, each with its reason. An entry that is not needed fails. */
const clockAndRandomExceptions: Readonly<Record<string, string>> = {
  'src/dashboard/pageWorker.ts': 'how long its thread has worked is asked of Node, beside the time',
}

/** Files by which text leaves the process, each with how secrets are kept in. An entry that is not needed fails. */
const outlets: Readonly<Record<string, string>> = {
  'src/cli/cliIo.ts': 'hands the streams of the process to the printer and the logger',
  'src/cli/output/showProgress.ts': 'a bar of numbers',
  'src/runtime/job/logger.ts': 'masks each line',
}

/** Files that may be longer than the limit, each with its reason. An entry that is not needed fails. */
const longFileExceptions: Readonly<Record<string, string>> = {}

describe('the sources', () => {
  it('are all read', () => {
    expect(unreadable).toEqual([])
    expect(sources.map(({ path }) => path)).toContain('src/core/ports/clock.ts')
    expect(sources.length).toBeGreaterThan(5)
  })

  it('import only from the layers below their own', () => {
    expect(list(layerViolations(sources))).toEqual([])
  })

  it('import a client library in its own folder only', () => {
    expect(list(clientLibraryViolations(sources))).toEqual([])
  })

  it('import each other without a cycle', () => {
    expect(list(cycles(sources))).toEqual([])
  })

  it('have no barrel but the public indexes', () => {
    expect(list(barrels(sources))).toEqual([])
  })

  it('take time from the Clock port and randomness from the Random port', () => {
    expect(list(clockAndRandomViolations(sources, clockAndRandomExceptions))).toEqual([])
    const needed = new Set(clockAndRandomViolations(sources, {}).map(({ path }) => path))
    expect(Object.keys(clockAndRandomExceptions).filter((path) => !needed.has(path))).toEqual([])
  })

  it('write to terminals, logs and browsers by what masks secrets', () => {
    expect(list(outletViolations(sources, outlets))).toEqual([])
    const needed = new Set(outletViolations(sources, {}).map(({ path }) => path))
    expect(Object.keys(outlets).filter((path) => !needed.has(path))).toEqual([])
  })

  it('stay under 400 lines a file, tests and benches under 600', () => {
    const long = [...longFiles(sources, 400), ...longFiles(tests, 600)]
    expect(list(long.filter(({ path }) => longFileExceptions[path] === undefined))).toEqual([])
    const needed = new Set(long.map(({ path }) => path))
    expect(Object.keys(longFileExceptions).filter((path) => !needed.has(path))).toEqual([])
  })
})

describe('the architecture rules', () => {
  const file = (path: string, text: string): SourceFile => parseSourceFile(path, text)

  it.each([
    ['core that imports a codec', 'src/core/a.ts', `import { x } from '../codecs/x.ts'`],
    ['core that imports only a type of the runtime', 'src/core/a.ts', `import type { X } from '../runtime/x.ts'`],
    ['core that re-exports the runtime', 'src/core/a.ts', `export * from '../runtime/x.ts'`],
    ['core that imports a type in place', 'src/core/a.ts', `let x: import('../runtime/x.ts').X`],
    ['core that imports late', 'src/core/a.ts', `await import('../runtime/x.ts')`],
    ['an operator that imports the runtime', 'operators/a.ts', `import { x } from '../src/runtime/x.ts'`],
    ['an operator that imports the public index', 'operators/a.ts', `import { x } from 'tidemark'`],
    ['the runtime that imports a connector', 'src/runtime/a.ts', `import { x } from '../connectors/embedded/x.ts'`],
    ['a connector that imports another', 'src/connectors/a/a.ts', `import { x } from '../b/x.ts'`],
    ['a job that imports past the index', 'jobs/a.ts', `import { x } from '../src/core/x.ts'`],
    ['a folder that is not in the layout', 'src/utils/a.ts', ''],
  ])('refuse %s', (_, path, text) => {
    expect(layerViolations([file(path, text)])).toHaveLength(1)
  })

  it('accept what the layout allows', () => {
    const legal = [
      file('src/core/a.ts', `import { x } from './x.ts'\nimport { map } from 'rxjs'`),
      file('operators/a.ts', `import { x } from '../src/core/x.ts'\nimport { y } from '../src/codecs/y.ts'`),
      file('src/cli/a.ts', `import { x } from '../runtime/x.ts'`),
      file('jobs/a.ts', `import { x } from 'tidemark'`),
    ]
    expect(layerViolations(legal)).toEqual([])
  })

  it('refuse a client library outside its folder, and a file of it too', () => {
    const text = `import { Kafka } from 'kafkajs'\nimport { Level } from 'level'\nimport x from 'cassandra-driver/lib/x.js'`
    expect(clientLibraryViolations([file('src/runtime/a.ts', text)])).toHaveLength(3)
    expect(clientLibraryViolations([file('src/connectors/embedded/a.ts', `import { Level } from 'level'`)])).toEqual([])
  })

  it('find a cycle of three files', () => {
    const ring = [
      file('src/core/a.ts', `import './b.ts'`),
      file('src/core/b.ts', `import type { C } from './c.ts'`),
      file('src/core/c.ts', `export { a } from './a.ts'`),
      file('src/core/d.ts', `import './a.ts'`),
    ]
    expect(list(cycles(ring))).toEqual([
      'src/core/a.ts is in a cycle: src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts',
    ])
    expect(cycles(ring.slice(1))).toEqual([])
  })

  it('find a barrel in either spelling', () => {
    expect(barrels([file('src/core/a.ts', `export { b } from './b.ts'`)])).toHaveLength(1)
    expect(barrels([file('src/core/a.ts', `import { b } from './b.ts'\nexport { b }`)])).toHaveLength(1)
    expect(barrels([file('src/core/index.ts', `export const a = 1`)])).toHaveLength(1)
    expect(barrels([file('src/index.ts', `export { b } from './core/b.ts'`)])).toEqual([])
  })

  it.each([
    'Date.now()',
    'new Date()',
    'performance.now()',
    'process.hrtime.bigint()',
    'setTimeout(f, 1)',
    'globalThis.setInterval(f, 1)',
    'promisify(setImmediate)',
    `import { setTimeout as wait } from 'node:timers/promises'`,
    `import { debounceTime } from 'rxjs'`,
    'Math.random()',
    'crypto.randomUUID()',
    `import { randomBytes } from 'node:crypto'`,
  ])('find the machine behind %s', (text) => {
    expect(clockAndRandomViolations([file('src/runtime/a.ts', text)], {})).not.toEqual([])
    expect(clockAndRandomViolations([file('src/testing/a.ts', text)], {})).toEqual([])
    expect(clockAndRandomViolations([file('src/runtime/a.ts', text)], { 'src/runtime/a.ts': 'why' })).toEqual([])
  })

  it.each([
    'process.stdout.write(text)',
    'const { stderr } = io; io.stderr.write(text)',
    'console.log(text)',
    'process.title = text',
    'process.emitWarning(text)',
    `import { pino } from 'pino'`,
  ])('find a way out of the process in %s', (text) => {
    expect(outletViolations([file('src/cli/a.ts', text)], {})).not.toEqual([])
    expect(outletViolations([file('src/cli/a.ts', text)], { 'src/cli/a.ts': 'why' })).toEqual([])
    expect(
      outletViolations([file('src/cli/a.ts', `out.line(text); socket.write(text); child.stdout.on('data', f)`)], {}),
    ).toEqual([])
  })

  it('leave alone a date that was given, and a property of the same name', () => {
    const text = `new Date(0); clock.now(); driver.setTimeout(5); const options = { setTimeout: 5 }; class A { performance() {} }`
    expect(clockAndRandomViolations([file('src/runtime/a.ts', text)], {})).toEqual([])
  })

  it('count lines', () => {
    expect(longFiles([file('src/core/a.ts', '\n'.repeat(299) + 'let a')], 300)).toEqual([])
    expect(longFiles([file('src/core/a.ts', '\n'.repeat(300) + 'let a')], 300)).toHaveLength(1)
  })

  it('refuse a file that cannot be parsed', () => {
    expect(() => file('src/core/a.ts', 'import {')).toThrow('src/core/a.ts cannot be parsed')
  })
})

function list(violations: readonly Violation[]): readonly string[] {
  return violations.map(({ path, problem }) => `${path} ${problem}`)
}
