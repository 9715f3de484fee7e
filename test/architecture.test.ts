import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  barrels,
  clockAndRandomViolations,
  cycles,
  doorViolations,
  hidingNames,
  layerViolations,
  namedSystems,
  outletViolations,
  sharedNames,
  strayTests,
  walkViolations,
  type Violation,
} from './architecture/rules.ts'
import { clockAndRandomExceptions, namingFiles, outlets } from './architecture/exceptions.ts'
import { doors, walk } from './architecture/page.ts'
import { parseSourceFile, type SourceFile } from './architecture/sourceFile.ts'
import { mutations } from './mutations/mutations.ts'
import { patched } from './mutations/patch.ts'
import { plantedBugs } from './simulation/plantedBugs.ts'

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

/** What is found and not excused, and the excuses for what is not found: both are to be empty. */
function unexcused(found: readonly Violation[], excuses: readonly string[]): readonly string[] {
  const needed = new Set(found.map(({ path }) => path))
  return [
    ...list(found.filter(({ path }) => !excuses.includes(path))),
    ...excuses.filter((path) => !needed.has(path)).map((path) => `${path} is excused, and need not be: take it out`),
  ]
}

describe('the sources', () => {
  it('are all read', () => {
    expect(unreadable).toEqual([])
    expect(sources.map(({ path }) => path)).toContain('src/core/ports/clock.ts')
    expect(sources.length).toBeGreaterThan(5)
  })

  it('import only from the layers below their own', () => {
    expect(list(layerViolations(sources))).toEqual([])
  })

  it('import a library behind its door only, and each that is installed has one', () => {
    expect(list(doorViolations(sources))).toEqual([])
    const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      readonly dependencies: object
    }
    expect(Object.keys(dependencies).filter((name) => !doors.has(name))).toEqual([])
  })

  it('name a system in its folder only', () => {
    expect(unexcused(namedSystems(sources), Object.keys(namingFiles))).toEqual([])
  })

  it('give a name to one thing only', () => {
    expect(list(sharedNames(sources))).toEqual([])
  })

  it('stand in files named as what they export', () => {
    expect(list(hidingNames(sources))).toEqual([])
  })

  it('can be walked from fromKafka to the commit in ten files, in either world', () => {
    expect(list(walkViolations(sources))).toEqual([])
    expect(walk.length).toBeGreaterThan(5)
    expect(walk.length).toBeLessThanOrEqual(10)
  })

  it.each([...mutations, ...plantedBugs].map((patch) => [patch.name, patch] as const))(
    'have the place of the planted bug "%s"',
    (_, patch) => {
      const source = readFileSync(join(repository, patch.file), 'utf8')
      expect(patched(patch, source)).not.toBe(source)
      if ('caughtBy' in patch) expect(existsSync(join(repository, patch.caughtBy))).toBe(true)
    },
  )

  it('have their tests where their paths say', () => {
    expect(list(strayTests(tests, sources))).toEqual([])
  })

  it('import each other without a cycle', () => {
    expect(list(cycles(sources))).toEqual([])
  })

  it('have no barrel but the public indexes', () => {
    expect(list(barrels(sources))).toEqual([])
  })

  it('take time from the Clock port and randomness from the Random port', () => {
    expect(unexcused(clockAndRandomViolations(sources), Object.keys(clockAndRandomExceptions))).toEqual([])
  })

  it('write to terminals, logs and browsers by what masks secrets', () => {
    expect(unexcused(outletViolations(sources), Object.keys(outlets))).toEqual([])
  })

  it('are measured: a file is one idea, read in one sitting, so the longest are looked at', () => {
    const longest = [...sources, ...tests].toSorted((a, b) => b.lines - a.lines).slice(0, 10)
    process.stdout.write(
      `The longest files: ${longest.map(({ path, lines }) => `${path} ${String(lines)}`).join(', ')}\n`,
    )
    expect(longest).toHaveLength(10)
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

  it('refuse a library on the wrong side of its door, and a file of it too', () => {
    const text = `import { Kafka } from 'kafkajs'\nimport { Level } from 'level'\nimport x from 'cassandra-driver/lib/x.js'`
    expect(doorViolations([file('src/runtime/a.ts', text)])).toHaveLength(3)
    expect(doorViolations([file('src/runtime/a.ts', `require('cassandra-driver/lib/x.js')`)])).toHaveLength(1)
    expect(doorViolations([file('src/cli/a.ts', `import { request } from 'node:http'`)])).toHaveLength(1)
    expect(doorViolations([file('src/connectors/cassandra/a.ts', `import x from 'cassandra-driver'`)])).toEqual([])
  })

  it.each([
    ['a name', 'src/runtime/a.ts', 'const kafkaTopic = 1'],
    ['a text', 'src/cli/a.ts', `print('the embedded world')`],
    ['a text with a hole', 'src/core/a.ts', 'print(`a CQL type, ${x}`)'],
    ['the name of a file', 'src/state/kafkaStore.ts', ''],
    ['a connector that knows another', 'src/connectors/kafka/a.ts', `const cassandra = 1`],
    ['an import', 'src/cli/a.ts', `import { x } from '../connectors/kafka/x.ts'`],
  ])('find a system in %s', (_, path, text) => {
    expect(namedSystems([file(path, text)])).toHaveLength(1)
  })

  it('leave a system alone in its folder, in a comment, in a job, and in the name that its owner gave an operator', () => {
    const legal = [
      file('src/connectors/kafka/a.ts', 'const kafka = 1'),
      file('src/runtime/a.ts', '// As Kafka does.\nconst a = 1'),
      file('jobs/a.ts', `const kafka = 1`),
      file('src/index.ts', `import { toKafkaTransactional, type FromKafkaOptions } from '../operators/toKafka.ts'`),
    ]
    expect(list(namedSystems(legal))).toEqual([])
  })

  it('find a name that two files export, but not a codec with its type', () => {
    const one = file('src/core/a.ts', 'export const A = 1\nexport type A = number')
    expect(sharedNames([one, file('src/core/b.ts', 'const A = 1')])).toEqual([])
    expect(list(sharedNames([one, file('src/core/b.ts', 'export interface A { readonly x: number }')]))).toEqual([
      'src/core/b.ts exports A, and so does src/core/a.ts',
    ])
  })

  it('find a test that mirrors no folder', () => {
    const sources_ = [file('src/core/ports/a.ts', ''), file('operators/b.ts', '')]
    const of = (path: string): number => strayTests([file(path, '')], sources_).length
    expect(
      ['test/core/x.test.ts', 'test/operators/b.test.ts', 'test/laws/x/y.test.ts', 'test/x.test.ts'].map(of),
    ).toEqual([0, 0, 0, 0])
    expect(of('test/services/x.test.ts')).toBe(1)
  })

  it('find a file that hides what it exports', () => {
    expect(hidingNames([file('src/core/a/program.ts', 'export function runCli() {}')])).toHaveLength(1)
    expect(hidingNames([file('src/core/restart.ts', 'export function createRestartStrategy() {}')])).toEqual([])
    expect(hidingNames([file('src/core/numbers.ts', 'export const a = 1, b = 2')])).toEqual([])
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
    expect(clockAndRandomViolations([file('src/runtime/a.ts', text)])).not.toEqual([])
    expect(clockAndRandomViolations([file('src/testing/a.ts', text)])).toEqual([])
  })

  it.each([
    'process.stdout.write(text)',
    'const { stderr } = io; io.stderr.write(text)',
    'console.log(text)',
    'process.title = text',
    'process.emitWarning(text)',
    `import { pino } from 'pino'`,
  ])('find a way out of the process in %s', (text) => {
    expect(outletViolations([file('src/cli/a.ts', text)])).not.toEqual([])
    expect(
      outletViolations([file('src/cli/a.ts', `out.line(text); socket.write(text); child.stdout.on('data', f)`)]),
    ).toEqual([])
  })

  it('leave alone a date that was given, and a property of the same name', () => {
    const text = `new Date(0); clock.now(); driver.setTimeout(5); const options = { setTimeout: 5 }; class A { performance() {} }`
    expect(clockAndRandomViolations([file('src/runtime/a.ts', text)])).toEqual([])
  })

  it('refuse a file that cannot be parsed', () => {
    expect(() => file('src/core/a.ts', 'import {')).toThrow('src/core/a.ts cannot be parsed')
  })
})

function list(violations: readonly Violation[]): readonly string[] {
  return violations.map(({ path, problem }) => `${path} ${problem}`)
}
